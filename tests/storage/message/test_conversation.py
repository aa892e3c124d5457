"""Conversations: one id for all messages of a thread, whoever wrote them."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from storage.message.conversation import INDEX_BYTES_MAX, thread_topic
from storage.message.index import index_message

GUID = bytes(range(16))
INDEX = b"\x01\xda\x1b\x8f\xf1\x17" + GUID


def conversation(*lines: str) -> bytes:
    return index_message("\r\n".join([*lines, "", ""]).encode()).conversation_id


def test_a_thread_has_one_id_from_its_root() -> None:
    root = conversation("Message-ID: <1@a>")
    assert conversation("Message-ID: <2@a>", "In-Reply-To: <1@a>") == root
    assert conversation("Message-ID: <3@a>", "References: <1@a>\r\n <2@a>", "In-Reply-To: <2@a>") == root
    assert conversation("Message-ID: <4@a>") != root


def test_thread_index_goes_before_references() -> None:
    line = "Thread-Index: " + b64encode(INDEX).decode()
    assert conversation(line, "References: <1@a>") == GUID
    assert conversation(line[:30], "References: <1@a>") == conversation("Message-ID: <1@a>")


def test_a_message_without_any_id_has_one_of_its_own() -> None:
    assert conversation("From: a@b", "Subject: x") == conversation("From: a@b", "Subject: x", "X: y")
    assert conversation("From: a@b", "Subject: x") != conversation("From: a@b", "Subject: y")
    assert conversation("X: y") == bytes(16)


def test_the_index_drops_the_reserved_byte_and_the_guid() -> None:
    levels = b"abcdeABCDE"
    line = "Thread-Index: " + b64encode(INDEX + levels + b"xx").decode()
    assert index_message(f"{line}\r\n\r\n".encode()).conversation_index == INDEX[1:6] + levels


def test_the_index_of_others_is_their_date() -> None:
    summary = index_message(b"Date: Mon, 20 Nov 2023 10:00:00 +0000\r\n\r\n")
    filetime = int((datetime(2023, 11, 20, 10, tzinfo=UTC) - datetime(1601, 1, 1, tzinfo=UTC)).total_seconds()) * 10**7
    assert summary.conversation_index == (filetime >> 16 & (1 << 40) - 1).to_bytes(5, "big")


def test_levels_beyond_the_bound_are_cut() -> None:
    line = "Thread-Index: " + b64encode(INDEX + bytes(INDEX_BYTES_MAX)).decode()
    assert len(index_message(f"{line}\r\n\r\n".encode()).conversation_index) == INDEX_BYTES_MAX - 17


@pytest.mark.parametrize(
    ("subject", "topic"),
    [("Re: a", "a"), ("RE[2]: Fwd: AW: a", "a"), ("a: b", "a: b"), ("Re:", ""), ("", ""), ("Reading: x", "Reading: x")],
)
def test_topics(subject: str, topic: str) -> None:
    assert thread_topic(subject) == topic
