"""SmartReply: answer a mail, the server quoting it ([MS-ASCMD] SmartReply).  Success is an empty answer."""

from eas.commands.compose_request import ComposeRequest, parse_compose
from eas.commands.compose_send import check_known, composed, deliver, name_of, original_of, reply_verb, verb_record
from eas.context import Context
from eas.mail.compose import reply
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.wbxml.element import Element


def parse(root: Element | None, request: EasRequest) -> ComposeRequest:
    """Read the request.  Raises as `parse_compose` does."""
    return parse_compose(root, request)


async def handle(context: Context, request: ComposeRequest) -> None:
    """Send the answer, and mark the mail as answered in the same commit that says it was sent."""
    assert request.source is not None  # noqa: S101  # parse_compose sees to it
    name = name_of(context, request)
    if await check_known(context, name):
        return
    original = await original_of(context, request.source)
    mime = await composed(context, request, original, reply)
    verb = reply_verb(context, request.mime, original)
    await deliver(context, request, name, mime, (verb_record(context, original, verb),))


def render(response: None, version: Version) -> None:
    """Say that it was sent."""
