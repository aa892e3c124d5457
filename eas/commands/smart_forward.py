"""SmartForward: forward a mail, the server adding it ([MS-ASCMD] SmartForward).  Success is an empty answer."""

from dataclasses import replace

from eas.commands.compose_request import ComposeRequest, Forwardees, parse_compose
from eas.commands.compose_send import Original, Verb, check_known, composed, deliver, name_of, original_of, verb_record
from eas.context import Context
from eas.mail.compose import Draft, draft, forward
from eas.protocol.exchange import EasRequest
from eas.protocol.versions import Version
from eas.wbxml.element import Element
from storage.message.addresses import Address
from storage.seal import keyed_hash


def parse(root: Element | None, request: EasRequest) -> ComposeRequest:
    """Read the request.  Raises as `parse_compose` does."""
    return parse_compose(root, request)


async def handle(context: Context, request: ComposeRequest) -> None:
    """Send it, and mark the mail as forwarded in the same commit that says it was sent."""
    assert request.source is not None  # noqa: S101  # parse_compose sees to it
    name = name_of(context, request)
    if await check_known(context, name):
        return
    original = await original_of(context, request.source)
    written = request
    if request.forwardees is not None:  # nothing is kept in Sent Items: SaveInSentItems is forbidden here
        written = replace(request, mime=_covering(context, request, request.forwardees, original))
    mime = await composed(context, written, original, forward)
    await deliver(context, request, name, mime, (verb_record(context, original, Verb.FORWARD),))


def _covering(context: Context, request: ComposeRequest, forwardees: Forwardees, original: Original) -> bytes:
    """Return the message that a phone would have written around what it forwards."""
    identity = context.account.identity
    mailboxes = [Address(name, address) for name, address in forwardees.mailboxes]
    mark = keyed_hash(
        context.account.keys.ids, b"forward", context.device.encode(), request.client_id.encode(), size=15
    )
    fields = Draft(
        from_=Address(identity.display_name, identity.address),
        to=", ".join(map(str, mailboxes)),
        subject=f"FW: {original.summary.thread_topic}",
        body_type=forwardees.body_type,
        body=forwardees.body,
    )
    return draft(fields, context.services.now(), f"<{mark.hex()}@{identity.address.rpartition('@')[2]}>")


def render(response: None, version: Version) -> None:
    """Say that it was sent."""
