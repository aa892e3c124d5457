"""Which body is wanted of an item that is asked for by name or found: the Options of ItemOperations and Search."""

from eas.commands.options import parse_preferences
from eas.context import CommandFailed
from eas.mail.body import BodyType, MimeSupport, Preference
from eas.mail.email_item import Wish
from eas.wbxml import pages
from eas.wbxml.element import Element, InvalidValue

NATIVE = (Preference(BodyType.HTML), Preference(BodyType.PLAIN), Preference(BodyType.MIME))
"""What is sent to whoever asks for no type: what the mail has, whole."""


class BadWish(Exception):
    """The options contradict the schema."""


def parse_wish(options: Element | None) -> Wish:
    """Return the wish; without BodyPreference it has no preferences.  Raises `BadWish`."""
    if options is None:
        return Wish()
    try:
        preferences = parse_preferences(options)
        mime_support = options.number_or(pages.AirSync.MIMESupport, None)
    except (CommandFailed, InvalidValue) as error:
        raise BadWish from error
    if mime_support is None:
        # Clients ask for Type 4 without MIMESupport: taken as implied, as in Sync.
        wants_mime = any(preference.type == BodyType.MIME for preference in preferences)
        mime_support = MimeSupport.ALWAYS if wants_mime else MimeSupport.NEVER
    if mime_support not in tuple(MimeSupport):
        raise BadWish
    return Wish(preferences, mime_support)
