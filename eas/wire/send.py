"""Writing an answer that is ready, through aiohttp: whole or in pieces, to readers who may be slow."""

import asyncio
from collections.abc import AsyncIterator

import structlog
from aiohttp import HttpVersion11, web

from eas.protocol.exchange import EasResponse
from eas.wire import answer as http_answer

log = structlog.get_logger(__name__)

GRACE_SECONDS = 60.0
RATE_MIN = 1024
"""Bytes a second at which a phone must read its answer, once the grace is over."""
_SLOW_BYTES_MIN = 64 * 1024  # shorter answers fit the buffers: nobody waits for their reader


async def send(
    request: web.BaseRequest, answer: EasResponse, *, accepts_gzip: bool, closes: bool
) -> web.StreamResponse:
    """Write *answer*, and return aiohttp's response, which is complete.  *closes*: the connection ends with it.

    What fails in the middle ends the connection at once, so that the phone does not take half an answer for a whole
    one.  Raises ConnectionError then, or when the phone has left.
    """
    response = await _framed(answer, accepts_gzip)
    if closes:
        response.force_close()
    try:
        if isinstance(answer.body, bytes):
            size = len(answer.body)
            async with asyncio.timeout(_seconds(size) if size > _SLOW_BYTES_MIN else None):
                await response.prepare(request)
                await response.write_eof()
        else:
            await _send_pieces(request, response, answer.body, answer.size)
    except ConnectionError:
        raise
    except TimeoutError:
        log.info("http.slow_reader", sent_bytes=request.writer.output_size)
        raise _cut(request) from None
    except Exception as error:
        log.exception("http.answer_broken")
        raise _cut(request) from error
    return response


async def _framed(answer: EasResponse, accepts_gzip: bool) -> web.StreamResponse:
    """Return the response with its headers, and its body where that is whole."""
    reason = http_answer.reason(answer.status)
    if not isinstance(answer.body, bytes):
        fields = http_answer.headers(answer, size=answer.size)
        return web.StreamResponse(status=answer.status, reason=reason, headers=fields)
    body = answer.body
    if is_gzipped := accepts_gzip and http_answer.is_worth_gzip(answer):
        is_long = len(body) > http_answer.THREAD_BYTES_MIN
        body = await asyncio.to_thread(http_answer.compress, body) if is_long else http_answer.compress(body)
    fields = http_answer.headers(answer, size=len(body), is_gzipped=is_gzipped)
    return web.Response(status=answer.status, reason=reason, headers=fields, body=body)


async def _send_pieces(
    request: web.BaseRequest, response: web.StreamResponse, pieces: AsyncIterator[bytes], size: int | None
) -> None:
    """Write the pieces as they come and as the phone reads; aiohttp waits when more than 64 KB are not yet sent."""
    if size is None and request.version < HttpVersion11:
        response.force_close()  # only the end of the connection ends the body
    sent = 0
    try:
        await response.prepare(request)
        async for piece in pieces:
            sent += len(piece)
            async with asyncio.timeout(_seconds(len(piece))):
                await response.write(piece)
        if size is not None and sent != size:
            raise ValueError(f"a body of {sent} bytes instead of {size}")
        async with asyncio.timeout(GRACE_SECONDS):
            await response.write_eof()
    finally:
        if (close := getattr(pieces, "aclose", None)) is not None:
            await close()


def _seconds(size_bytes: int) -> float:
    return GRACE_SECONDS + size_bytes / RATE_MIN


def _cut(request: web.BaseRequest) -> ConnectionResetError:
    if request.transport is not None:
        request.transport.abort()
    return ConnectionResetError("the answer was cut off")
