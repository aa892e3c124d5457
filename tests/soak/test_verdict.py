"""The soak's verdict names what it is there to find."""

from pathlib import Path
from random import Random

import pytest

from eas.wbxml.element import leaf
from eas.wbxml.pages import Email
from tests.soak.ledger import Ledger
from tests.soak.letters import body_digest, from_outside, letter, token_of
from tests.soak.nodes import Node
from tests.soak.phone import KEPT, Phone
from tests.soak.plan import Plan, Seen
from tests.soak.verdict import compare
from tests.support.mailbox import FolderInfo, Item

PLAN = Plan("local", 1, 10, 0, 1.0, seed=1, accounts=1, phones=2)
TOKENS = [f"mail{n}-{n:08x}" for n in range(20)]
TYPES = {"inbox": 2, "trash": 4, "sent": 5, "kept": 12}


class Case:
    """Two phones that hold the same mails, all of which came, and were promised nothing."""

    def __init__(self) -> None:
        self.seen, self.ledger = Seen(), Ledger(2)
        node = Node(Path("node0.toml"), (1, 2), 1, Random(1), self.seen)
        self.phones = [Phone(PLAN, n, [node], self.ledger, self.seen) for n in range(2)]
        for token in TOKENS:
            self.ledger.letters[token] = letter(Random(1), token, (1,), 100, "a@example.net")
        for phone in self.phones:
            hierarchy = phone.client.mailbox.hierarchy
            for role, kind in TYPES.items():
                hierarchy[role] = FolderInfo(role, "0", KEPT if role == "kept" else role, kind)
            for token in TOKENS:
                self.put(phone, "inbox", token)

    def put(self, phone: Phone, role: str, token: str, *, times: int = 1) -> None:
        for n in range(times):
            server_id = f"{role}:{token}:{n}"
            properties = {Email.Subject: leaf(Email.Subject, f"[{token}] x"), Email.Read: leaf(Email.Read, 0)}
            phone.folder(role).items[server_id] = Item(
                server_id, {tag: value for tag, value in properties.items() if value is not None}
            )

    def put_all(self, role: str, token: str, *, times: int = 1) -> None:
        for phone in self.phones:
            self.put(phone, role, token, times=times)

    def faults(self) -> list[str]:
        compare(1, self.phones, self.ledger, self.seen)
        return self.seen.faults


@pytest.fixture
def case() -> Case:
    return Case()


def own_token(case: Case) -> str:
    return next(token for token in TOKENS if case.ledger.is_own(token, 0))


def test_where_all_is_as_promised_nothing_is_wrong(case: Case) -> None:
    case.ledger.promise(1, own_token(case)).folder = "inbox"
    assert case.faults() == []
    assert case.seen.counts["promises kept"] == 1


def test_a_lost_mail_is_named(case: Case) -> None:
    for phone in case.phones:
        del phone.folder("inbox").items[f"inbox:{TOKENS[3]}:0"]
    assert case.faults() == [f"u1: 1 mails lost: ['{TOKENS[3]}']"]


def test_a_mail_that_is_there_twice_is_named(case: Case) -> None:
    case.put_all("kept", TOKENS[3])
    assert case.faults() == [f"u1: 1 mails twice: ['{TOKENS[3]}']"]


@pytest.mark.parametrize("was_asked_again", [False, True])
def test_a_phones_own_mail_may_come_twice_only_if_it_was_sent_again(case: Case, was_asked_again: bool) -> None:
    case.ledger.sent["sent0-00000000"] = 1, 1
    case.ledger.asked_again |= {"sent0-00000000"} if was_asked_again else set()
    case.put_all("inbox", "sent0-00000000", times=2)
    case.put_all("sent", "sent0-00000000")
    assert len(case.faults()) == (0 if was_asked_again else 1)
    assert case.seen.counts["mails of phones that went out once more"] == was_asked_again


def test_a_missing_copy_and_a_second_one_are_named(case: Case) -> None:
    for number, copies in (("0", 0), ("1", 2)):
        token = f"sent{number}-00000000"
        case.ledger.sent[token] = 1, 1
        case.put_all("inbox", token)
        case.put_all("sent", token, times=copies)
    assert [fault.partition(":")[2][:35] for fault in case.faults()] == [
        " 1 mails without a copy in Sent Ite",
        " 1 mails with two copies in Sent It",
    ]


def test_what_is_left_in_an_outbox_may_have_come_or_not(case: Case) -> None:
    case.ledger.left.add("sent0-00000000")
    assert case.faults() == []
    case.put_all("inbox", "sent0-00000000", times=2)
    assert case.faults() == []


def test_phones_that_differ_are_named(case: Case) -> None:
    case.put(case.phones[0], "sent", TOKENS[0])
    assert "phone0 of u1 holds something else" in case.faults()[0]


def test_a_broken_promise_is_named(case: Case) -> None:
    token = own_token(case)
    promise = case.ledger.promise(1, token)
    promise.folder, promise.is_read = "kept", True
    assert case.faults() == [
        f"u1: {token}: folder is inbox, and kept was acknowledged",
        f"u1: {token}: read is False, and True was acknowledged",
    ]


def test_what_was_erased_and_is_there_is_named(case: Case) -> None:
    token = own_token(case)
    case.ledger.promise(1, token).is_erased = True
    assert case.faults() == [f"u1: 1 mails erased and there: ['{token}']"]


def test_mails_have_tokens_and_bodies_that_survive_a_mail_system() -> None:
    one = from_outside(Random(1), 7, 3, is_huge=False)
    assert token_of(one.message.decode().partition("Subject: ")[2]) == one.token
    carried = b"Received: by mx\r\n" + one.message.replace(b"\r\n", b"\n")
    assert body_digest(carried) == one.digest
    assert body_digest(one.message[:-40]) != one.digest
