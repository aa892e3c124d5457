"""Sends: intents and outcomes in any order, and how long they are remembered."""

from itertools import permutations

from storage.clock import stamp_at
from storage.cursor import Rid
from storage.records import Sending, Sent
from storage.sends import KEPT_MS, Intent, Sends

W, X = "a" * 16, "b" * 16
DAY_MS = 86_400_000


def intent(n: int, writer: str = W, ms: int = 0) -> tuple[Rid, Sending]:
    return Rid(stamp_at(ms), writer, n, 1), Sending("phone/1", "<1@a>", b"digest", "process")


def outcome(n: int, of: int, taken: bool, writer: str = W) -> tuple[Rid, Sent]:
    return Rid(0, writer, n, 1), Sent("phone/1", W, of, taken)


def test_an_intent_is_open_until_its_own_outcome() -> None:
    sends = Sends()
    told: list[tuple[Rid, Sending | Sent]] = [intent(1), intent(3, X), outcome(2, 1, False)]
    for rid, record in told:
        sends.offer(rid, record)
    send = sends.by_id["phone/1"]
    assert not send.taken
    assert send.open == {(X, 3): Intent(0, "<1@a>", b"digest", "process")}


def test_outcomes_contradict_each_other_in_any_order_to_the_same_end() -> None:
    told: list[tuple[Rid, Sending | Sent]] = [intent(1), outcome(2, 1, True), outcome(1, 1, False, X)]
    for order in permutations(told):
        sends = Sends()
        for rid, record in order:
            sends.offer(rid, record)
        assert sends.by_id["phone/1"].taken, "what was taken once is not to be sent again"
        assert not sends.by_id["phone/1"].open


def test_the_same_message_is_found_under_another_id() -> None:
    sends = Sends()
    sends.offer(*intent(1))
    assert [key for _, key, _ in sends.alike("phone/", "<1@a>", b"other")] == [(W, 1)]
    assert [key for _, key, _ in sends.alike("phone/", "", b"digest")] == [(W, 1)]
    assert not list(sends.alike("tablet/", "<1@a>", b"digest"))
    assert not list(sends.alike("phone/", "", b"other"))


def test_a_checkpoint_forgets_what_is_older_than_two_days_and_no_outcome_without_its_intent() -> None:
    sends = Sends()
    sends.offer(*intent(1, ms=DAY_MS))
    sends.offer(Rid(0, W, 9, 1), Sent("phone/2", X, 1, True))
    for now, remembered in ((DAY_MS + KEPT_MS, {"phone/1", "phone/2"}), (DAY_MS + KEPT_MS + 1, {"phone/2"})):
        assert set(Sends.unpack(sends.pack(stamp_at(now))).by_id) == remembered
    assert Sends.unpack(sends.pack(0)) == sends
