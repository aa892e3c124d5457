from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmtp import reply
from lmtp.input import LINE_BYTES_MAX
from lmtp.session import BAD_COMMANDS_MAX, CLIENT_NAME_MAX
from lmtp.transaction import Delivery, Resolve
from tests.lmtp.conversation import (
    RECIPIENTS_MAX,
    SIZE_BYTES_MAX,
    Conversation,
    Taken,
    begun,
    codes,
    converse,
    greeted,
)

TRANSCRIPT = (
    b"LHLO client.test\r\n"
    b"MAIL FROM:<s@x.test> SIZE=60 BODY=8BITMIME\r\nRCPT TO:<a@y.test>\r\nRCPT TO:<nobody@y.test>\r\n"
    b"RCPT TO:<full@y.test>\r\nDATA\r\nSubject: one\r\n\r\n..dotted\r\n.x\nbare\r\r\n.\r\n"
    b"NOOP\r\nMAIL FROM:<> SMTPUTF8\r\nRCPT TO:<\xc3\xa9@y.test>\r\n"
    b"BDAT 10\r\nSubject: \rBDAT 0\r\nBDAT 8 LAST\r\n\ntwo\r\n\r\n"
    b"FROB\r\nMAIL FROM:<s@x.test>\r\nRCPT TO:<nobody@y.test>\r\nDATA\r\nBDAT 6 LAST\r\nNOOP\r\n"
    b"RSET\r\nQUIT\r\n"
)
WHOLE = converse([TRANSCRIPT])


def test_the_transcript_is_what_it_is_meant_to_be() -> None:
    assert codes(WHOLE.sent.decode()) == [
        "220", "250", "250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354", "250 2.0.0", "452 4.2.2",
        "250 2.0.0", "250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.0.0",
        "500 5.5.1", "250 2.1.0", "550 5.1.1", "503 5.5.1", "503 5.5.1", "250 2.0.0", "221 2.0.0",
    ]  # fmt: skip
    assert WHOLE.taken == [
        Taken("s@x.test", ("a@y.test", "full@y.test"), b"Subject: one\r\n\r\n.dotted\r\nx\r\nbare\r\r\n"),
        Taken("", ("\xe9@y.test",), b"Subject: \r\ntwo\r\n\r\n", utf8=True),
    ]


@pytest.mark.parametrize("cut", range(len(TRANSCRIPT)))
def test_session_is_deaf_to_packet_boundaries(cut: int) -> None:
    conversation = converse([TRANSCRIPT[:cut], TRANSCRIPT[cut:]])
    assert (conversation.sent, conversation.taken) == (WHOLE.sent, WHOLE.taken)


def test_a_packet_for_each_byte_is_the_same_as_one_packet() -> None:
    conversation = converse(TRANSCRIPT[at : at + 1] for at in range(len(TRANSCRIPT)))
    assert (conversation.sent, conversation.taken) == (WHOLE.sent, WHOLE.taken)


_WORDS = st.sampled_from(
    [b"LHLO c\r\n", b"MAIL FROM:<s@x>\r\n", b"RCPT TO:<a@y>\r\n", b"RCPT TO:<nobody@y>\r\n", b"DATA\r\n", b"\r\n.\r\n",
     b"BDAT 5\r\n", b"BDAT 7 LAST\r\n", b"RSET\r\n", b"NOOP\r\n", b"\n", b"\r", b".", b"\r\n", b"x", b"hello\r\n",
     b"\0", b"\xff", b"y" * 2050]
)  # fmt: skip


@given(st.lists(_WORDS, max_size=40), st.lists(st.integers(0, 5000), max_size=12))
def test_any_split_of_any_stream_gives_the_same_replies(words: list[bytes], cuts: list[int]) -> None:
    stream = b"LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\n" + b"".join(words)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    split = converse(stream[start:end] for start, end in pairwise(edges))
    whole = converse([stream])
    assert (split.sent, split.taken) == (whole.sent, whole.taken)


def test_lhlo_names_the_extensions() -> None:
    conversation = Conversation()
    assert conversation.say(b"lhlo c\r\n") == (
        "220 mx.test LMTP\r\n250-mx.test\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n"
        f"250-SMTPUTF8\r\n250-CHUNKING\r\n250 SIZE {SIZE_BYTES_MAX}\r\n"
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"HELO c", "500 5.5.1"),
        (b"EHLO c", "500 5.5.1"),
        (b"MAIL FROM:<s@x>", "503 5.5.1"),
        (b"RCPT TO:<a@y>", "503 5.5.1"),
        (b"DATA", "503 5.5.1"),
        (b"LHLO", "501 5.5.4"),
        (b"LHLO " + b"c" * (CLIENT_NAME_MAX + 1), "501 5.5.4"),
        (b"STARTTLS", "502 5.5.1"),
        (b"EXPN list", "502 5.5.1"),
        (b"", "500 5.5.1"),
        (b"NOOP\0", "500 5.5.2"),
        (b"NOOP\nNOOP", "500 5.5.2"),
        (b"NOOP\rNOOP", "500 5.5.2"),
        (b"NOOP \xff", "500 5.5.2"),
        (b"RSET now", "501 5.5.4"),
        (b"VRFY", "501 5.5.4"),
        (b"VRFY a@y", "252 2.1.5"),
        (b"NOOP whatever", "250 2.0.0"),
        (b"quit", "221 2.0.0"),
    ],
)
def test_answers_before_lhlo(line: bytes, code: str) -> None:
    assert codes(Conversation().say(line + b"\r\n"))[1:] == [code]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"MAIL FROM:<s@x>", "503 5.5.1"),
        (b"RCPT TO:<later@y>", "451 4.4.3"),
        (b"RCPT TO:<>", "501 5.1.3"),
        (b"RCPT TO:<\xc3\xa9@y>", "553 5.6.7"),
        (b"RCPT TO:<b@y> NOTIFY=NEVER", "555 5.5.4"),
        (b"DATA now", "501 5.5.4"),
        (b"BDAT", "421 4.5.4"),
        (b"BDAT -1", "421 4.5.4"),
        (b"BDAT 1 FIRST", "421 4.5.4"),
        (b"BDAT " + b"9" * 21, "421 4.5.4"),
    ],
)
def test_answers_in_a_transaction(line: bytes, code: str) -> None:
    assert codes(begun().say(line + b"\r\n")) == [code]


def test_a_chunk_of_unknown_size_ends_the_session_so_that_its_bytes_are_no_commands() -> None:
    conversation = begun()
    conversation.say(b"BDAT x LAST\r\nRSET\r\nMAIL FROM:<evil@x>\r\n")
    assert conversation.session.is_closed
    assert conversation.say(b"NOOP\r\n") == ""


def test_one_recipient_over_the_bound_is_told_to_come_again() -> None:
    conversation = begun(*[b"a%d@y" % n for n in range(RECIPIENTS_MAX)])
    assert codes(conversation.say(b"RCPT TO:<one-more@y>\r\n")) == ["452 4.5.3"]
    assert codes(conversation.say(b"DATA\r\nx\r\n.\r\n")) == ["354"] + ["250 2.0.0"] * RECIPIENTS_MAX


def test_a_recipient_given_twice_gets_two_replies() -> None:
    assert codes(begun(b"a@y", b"full@y", b"a@y").say(b"DATA\r\nx\r\n.\r\n")) == [
        "354", "250 2.0.0", "452 4.2.2", "250 2.0.0",
    ]  # fmt: skip


def test_data_without_a_valid_recipient_is_503() -> None:
    assert codes(begun(b"nobody@y").say(b"DATA\r\n")) == ["503 5.5.1"]


def test_a_declared_size_over_the_bound_is_refused_at_mail() -> None:
    conversation = greeted()
    assert codes(conversation.say(b"MAIL FROM:<s@x> SIZE=%d\r\n" % (SIZE_BYTES_MAX + 1))) == ["552 5.3.4"]
    assert codes(conversation.say(b"MAIL FROM:<s@x> SIZE=%d\r\n" % SIZE_BYTES_MAX)) == ["250 2.1.0"]


def test_the_declared_size_is_passed_on_with_the_question() -> None:
    conversation = greeted()
    question = conversation.session.receive_data(b"MAIL FROM:<s@x> SIZE=77\r\nRCPT TO:<a+b@y>\r\n")
    assert question == Resolve("a+b@y", 77)


@pytest.mark.parametrize(("extra", "codes_expected"), [(0, ["250 2.0.0"] * 2), (1, ["552 5.3.4"] * 2)])
def test_data_one_byte_over_the_bound_is_refused_for_every_recipient(extra: int, codes_expected: list[str]) -> None:
    conversation = begun(b"a@y", b"b@y")
    conversation.say(b"DATA\r\n")
    assert codes(conversation.say(b"x" * (SIZE_BYTES_MAX - 2 + extra) + b"\r\n.\r\n")) == codes_expected
    assert codes(conversation.say(b"MAIL FROM:<s@x>\r\n")) == ["250 2.1.0"]


def test_stuffed_dots_do_not_count_for_the_size() -> None:
    conversation = begun()
    conversation.say(b"DATA\r\n")
    assert codes(conversation.say(b".." + b"x" * (SIZE_BYTES_MAX - 3) + b"\r\n.\r\n")) == ["250 2.0.0"]


def test_chunks_over_the_bound_are_refused_and_stepped_over_until_the_end() -> None:
    conversation = begun(b"a@y", b"b@y")
    chunk = b"BDAT %d\r\n" % SIZE_BYTES_MAX + b"x" * SIZE_BYTES_MAX
    assert codes(conversation.say(chunk)) == ["250 2.0.0"]
    assert codes(conversation.say(b"BDAT 6\r\nQUIT\r\n")) == ["552 5.3.4"]
    assert codes(conversation.say(b"BDAT 6\r\nQUIT\r\n")) == ["552 5.3.4"]
    assert codes(conversation.say(b"BDAT 6 LAST\r\nQUIT\r\n")) == ["552 5.3.4"] * 2
    assert conversation.taken == []


@pytest.mark.parametrize("prefix", [b"", b"LHLO c\r\n", b"LHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<nobody@y>\r\n"])
def test_an_unwanted_chunk_is_stepped_over(prefix: bytes) -> None:
    conversation = Conversation()
    conversation.say(prefix)
    assert codes(conversation.say(b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n"))[-2:] == ["503 5.5.1", "250 2.0.0"]


def test_data_and_further_recipients_are_refused_once_chunks_were_begun() -> None:
    conversation = begun()
    assert codes(conversation.say(b"BDAT 2\r\nhiDATA\r\nRCPT TO:<b@y>\r\n")) == ["250 2.0.0", "503 5.5.1", "503 5.5.1"]
    assert codes(conversation.say(b"BDAT 0 LAST\r\n")) == ["250 2.0.0"]
    assert conversation.taken == [Taken("s@x.test", ("a@y.test",), b"hi")]


def test_data_and_chunks_may_follow_each_other_in_two_transactions() -> None:
    conversation = begun()
    conversation.say(b"BDAT 2 LAST\r\nhiMAIL FROM:<s@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nho\r\n.\r\n")
    assert [taken.content for taken in conversation.taken] == [b"hi", b"ho\r\n"]


def test_rset_drops_the_chunks() -> None:
    conversation = begun()
    conversation.say(b"BDAT 2\r\nhiRSET\r\nMAIL FROM:<s@x>\r\nRCPT TO:<b@y>\r\nBDAT 2 LAST\r\nho")
    assert [taken.content for taken in conversation.taken] == [b"ho"]


def test_lhlo_again_drops_the_transaction() -> None:
    assert codes(begun().say(b"LHLO c\r\nDATA\r\n")) == ["250", "503 5.5.1"]


SMUGGLED = b"MAIL FROM:<evil@x>\r\nRCPT TO:<victim@y>\r\nDATA\r\nSubject: forged\r\n\r\nx"


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n\0.\r\n",
        b"\r\n.\0\r\n", b"\r\n.\r\r\n", b"\n\n.\r\n", b"\r\n..\r\n", b"\r\n. \r\n",
    ],
)  # fmt: skip
def test_nothing_but_crlf_dot_crlf_ends_a_message(end: bytes) -> None:
    conversation = begun()
    replies = conversation.say(b"DATA\r\nSubject: x\r\n\r\ntext" + end + SMUGGLED + b"\r\n.\r\n")
    assert codes(replies) == ["354", "250 2.0.0"]
    assert [taken.sender for taken in conversation.taken] == ["s@x.test"]
    assert b"evil@x" in conversation.taken[0].content


def test_a_line_that_is_too_long_is_one_error_however_long_it_is() -> None:
    conversation = greeted()
    assert codes(conversation.say(b"NOOP " + b"x" * (LINE_BYTES_MAX - 7) + b"\r\n")) == ["250 2.0.0"]
    assert codes(conversation.say(b"NOOP " + b"x" * (LINE_BYTES_MAX - 6) + b"\r\n")) == ["500 5.5.2"]
    for _ in range(100):
        assert conversation.say(b"\nNOOP\n" * 1000) == ""
    assert codes(conversation.say(b"\r\nNOOP\r\n")) == ["500 5.5.2", "250 2.0.0"]


def test_the_last_of_too_many_bad_commands_ends_the_session() -> None:
    conversation = greeted()
    assert codes(conversation.say(b"FROB\r\n" * (BAD_COMMANDS_MAX - 1))) == ["500 5.5.1"] * (BAD_COMMANDS_MAX - 1)
    assert codes(conversation.say(b"FROB\r\nNOOP\r\n")) == ["421 4.7.0"]
    assert conversation.session.is_closed


def test_a_message_forgives_bad_commands() -> None:
    conversation = begun()
    conversation.say(b"FROB\r\n" * (BAD_COMMANDS_MAX - 1) + b"BDAT 0 LAST\r\n")
    assert codes(conversation.say(b"FROB\r\n")) == ["500 5.5.1"]


def test_out_of_order_commands_of_a_peer_that_sends_ahead_do_not_count_as_bad() -> None:
    conversation = begun(b"nobody@y")
    conversation.say(b"DATA\r\n" * (BAD_COMMANDS_MAX + 1))
    assert not conversation.session.is_closed


def test_nothing_is_read_past_an_open_question() -> None:
    conversation = greeted()
    question = conversation.session.receive_data(b"MAIL FROM:<s@x>\r\nRCPT TO:<a@y>\r\nDATA\r\nx\r\n.\r\nNOOP\r\n")
    assert isinstance(question, Resolve)
    assert conversation.session.receive_data(b"QUIT\r\n") is question
    assert codes(conversation.session.data_to_send().decode()) == ["250 2.1.0"]
    conversation.session.accept("a")
    delivery = conversation.session.receive_data(b"")
    assert isinstance(delivery, Delivery)
    assert codes(conversation.session.data_to_send().decode()) == ["250 2.1.5", "354"]
    conversation.session.settle([reply.DELIVERED])
    assert conversation.session.receive_data(b"") is None
    assert codes(conversation.session.data_to_send().decode()) == ["250 2.0.0", "250 2.0.0", "221 2.0.0"]


def test_answers_that_nobody_asked_for_are_mistakes() -> None:
    session = begun().session
    with pytest.raises(RuntimeError):
        session.accept("a")
    with pytest.raises(RuntimeError):
        session.refuse(reply.UNKNOWN_ADDRESS)
    with pytest.raises(RuntimeError):
        session.settle([])
    session.receive_data(b"BDAT 0 LAST\r\n")
    with pytest.raises(RuntimeError):
        session.settle([reply.DELIVERED] * 2)


def test_shutting_down_waits_for_the_open_question() -> None:
    session = begun().session
    session.receive_data(b"BDAT 0 LAST\r\nNOOP\r\n")
    session.shut_down()
    assert session.data_to_send() == b""
    session.settle([reply.DELIVERED])
    assert session.receive_data(b"") is None
    assert codes(session.data_to_send().decode()) == ["250 2.0.0", "421 4.3.2"]
    assert session.is_closed


def test_shutting_down_twice_says_it_once() -> None:
    session = greeted().session
    session.shut_down()
    session.shut_down()
    assert codes(session.data_to_send().decode()) == ["421 4.3.2"]


@pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 9000 LAST\r\n"])
def test_a_peer_that_leaves_within_a_message_leaves_nothing(begin: bytes) -> None:
    conversation = begun()
    conversation.say(begin + b"x" * 5000)
    conversation.session.abandon()
    assert conversation.say(b"\r\n.\r\n") == ""
    assert conversation.taken == []
    assert conversation.spools[0].content() == b""  # let go of


def test_every_spool_is_let_go_of() -> None:
    conversation = converse([TRANSCRIPT])
    assert [spool.content() for spool in conversation.spools] == [b"", b""]
