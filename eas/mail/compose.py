"""What commands use of composing: mail on its way out, replies and forwards with the original, drafts."""

from eas.mail.draft import Attachment, Draft, draft
from eas.mail.outgoing import NoRecipient, Outgoing, TooManyRecipients, UnreadableMime, outgoing
from eas.mail.smart import forward, reply

__all__ = [
    "Attachment",
    "Draft",
    "NoRecipient",
    "Outgoing",
    "TooManyRecipients",
    "UnreadableMime",
    "draft",
    "forward",
    "outgoing",
    "reply",
]
