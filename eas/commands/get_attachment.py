"""GetAttachment: one file, raw; up to 12.1, later by ItemOperations ([MS-ASCMD] GetAttachment)."""

from eas.commands.located import NoSuchFile, NotThere, located_file
from eas.context import Context
from eas.mail.attachment_file import AttachmentFile
from eas.protocol.exchange import EasRequest, EasResponse
from eas.protocol.versions import Version
from eas.wbxml.element import Element
from storage.engine import NotFound

GONE = 500
NOT_IMPLEMENTED = 501


def parse(root: Element | None, request: EasRequest) -> str:
    """Return the FileReference, "" when the query has none."""
    return request.attachment_name or ""


async def handle(context: Context, file_reference: str) -> AttachmentFile | None:
    """Return the file; None when it is gone."""
    async with context.account.turn() as state:
        snapshot = state.snapshot()
    try:
        return await located_file(context.account, snapshot, file_reference)
    except (NotThere, NoSuchFile, NotFound):
        return None


def render(file: AttachmentFile | None, version: Version) -> EasResponse:
    """Return the bytes as they are, or HTTP 500: there is no Status to tell it with."""
    if version > Version.V12_1:
        return EasResponse(NOT_IMPLEMENTED)
    if file is None:
        return EasResponse(GONE)
    # Whoever wrote the mail chose the type: no browser shall show it as a page of this server.
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    body = file.stream(0, file.size_bytes) if file.data is None else file.data
    return EasResponse(200, headers, body, file.content_type, file.size_bytes)
