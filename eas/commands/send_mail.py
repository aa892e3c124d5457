"""SendMail: send a message ([MS-ASCMD] SendMail).  Success is an empty answer."""

from eas.commands.compose_request import ComposeRequest, parse_compose
from eas.commands.compose_send import deliver, name_of
from eas.context import Context
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.wbxml.element import Element


def parse(root: Element | None, request: EasRequest) -> ComposeRequest:
    """Read the request.  Raises as `parse_compose` does."""
    return parse_compose(root, request)


async def handle(context: Context, request: ComposeRequest) -> None:
    """Send it, once however often it is asked for."""
    await deliver(context, request, name_of(context, request), request.mime)


def render(response: None, version: Version) -> None:
    """Say that it was sent."""
