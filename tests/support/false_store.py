"""A server that answers what a test tells it to: real stores do not fail on demand."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from storage.s3.bucket import Bucket

EMPTY_LISTING = (
    b'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><KeyCount>0</KeyCount>'
    b"<IsTruncated>false</IsTruncated></ListBucketResult>"
)
NO_UPLOADS = b"<ListMultipartUploadsResult></ListMultipartUploadsResult>"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Reply = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]
"""The bytes of an answer, or what writes one."""


def reply(status: int, body: bytes = b"", /, **headers: str) -> bytes:
    """Return an answer's bytes; in header names `_` stands for `-`."""
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def error(status: int, code: str) -> bytes:
    """Return a refusal in the words of a store."""
    return reply(status, f"<Error><Code>{code}</Code><Message>said the test</Message></Error>".encode())


def listing(*keys: str, size: int | str = 1, is_truncated: str = "false") -> bytes:
    """Return an answer that lists these keys."""
    contents = "".join(f"<Contents><Key>{key}</Key><Size>{size}</Size></Contents>" for key in keys)
    body = f"<ListBucketResult>{contents}<IsTruncated>{is_truncated}</IsTruncated></ListBucketResult>"
    return reply(200, body.encode())


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing, for as long as anybody waits."""
    await asyncio.Event().wait()


async def hang_up(_writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""


async def endless(writer: asyncio.StreamWriter) -> None:
    """Send a body that has no end."""
    writer.write(b'HTTP/1.1 200 OK\r\nETag: "x"\r\nConnection: close\r\n\r\n')
    while True:
        writer.write(bytes(1 << 16))
        await writer.drain()


@dataclass
class FalseStore:
    """Answers as `script` says, one by one, then for ever as `otherwise`; what opening an engine asks is granted."""

    url: str = ""
    otherwise: Reply = b""
    script: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    @property
    def bucket(self) -> Bucket:
        return Bucket("bucket", "own/", endpoint=self.url, access_key="a", secret_key="b")

    def _reply(self, asked: Asked) -> Reply:
        if "max-keys=1&" in asked.target and not self.is_opened:
            return reply(200, EMPTY_LISTING)
        if asked.method == "GET" and "uploads" in asked.target and not self.is_opened:
            self.is_opened = True
            return reply(200, NO_UPLOADS, Date="Sat, 28 Nov 2026 06:46:11 GMT")
        self.asked.append(asked)
        return self.script.pop(0) if self.script else self.otherwise

    is_opened: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, target, _ = head[0].split(" ")
                fields = [line.partition(":") for line in head[1:-2]]
                headers = {name.lower(): value.strip() for name, _, value in fields}
                if "expect" in headers:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                answer = self._reply(Asked(method, target, headers, body))
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
                    return


@asynccontextmanager
async def false_store() -> AsyncIterator[FalseStore]:
    """Run one on a free port."""
    store = FalseStore()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with suppress(asyncio.CancelledError):  # the test is over
                await store.serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    store.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield store
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
