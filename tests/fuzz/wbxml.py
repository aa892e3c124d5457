"""WBXML: decoding raises `WbxmlError` or gives a tree; what a tree encodes to and dumps to reads back the same."""

from eas.wbxml.decoder import WbxmlError, decode
from eas.wbxml.dump import dump, parse_dump
from eas.wbxml.element import element, empty, leaf
from eas.wbxml.encoder import encode
from eas.wbxml.pages import AirSync, ComposeMail, Contacts, FolderHierarchy, Ping
from tests.fuzz.target import Target
from tests.wbxml.documents import sync_answer


def run(data: bytes) -> None:
    try:
        root = decode(data)
    except WbxmlError as error:
        if error.tree is not None:
            encode(error.tree)
        return
    clean = decode(encode(root))  # a tree may hold controls, which are not sent
    if decode(encode(clean)) != clean or parse_dump(dump(clean)) != clean:
        raise AssertionError("does not read back")


TARGET = Target(
    run,
    [
        encode(document)
        for document in (
            sync_answer(messages=3, body_bytes=200),
            element(FolderHierarchy.FolderSync, leaf(FolderHierarchy.SyncKey, 0)),
            element(Ping.Ping, leaf(Ping.HeartbeatInterval, 480), element(Ping.Folders, empty(Ping.Folder))),
            element(
                ComposeMail.SendMail, leaf(ComposeMail.ClientId, "1"), leaf(ComposeMail.Mime, b"Subject: x\r\n\r\n" * 9)
            ),
            element(AirSync.Sync, element(Contacts.Categories, leaf(Contacts.Category, "x" * 200))),
        )
    ],
)
