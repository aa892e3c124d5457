"""Mail goes out once: duplicates, two nodes, failures, and a crash at every write."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from random import Random
from typing import Any

import pytest

from eas.mail.compose import NoRecipient, UnreadableMime
from eas.mail.submission import SUBMIT_SECONDS_MAX, SubmissionFailed
from eas.sending import outbox, outcomes
from eas.sending.outcomes import OUTCOME_PAUSES_SECONDS, Letter, Outcome
from eas.sending.retries import ALIKE_MS, Name
from storage import log
from storage.engine import Unavailable
from storage.folders import SENT
from storage.message.index import index_message
from storage.records import Set
from storage.sends import KEPT_MS
from tests.commands.post_office import DEVICE, Node, Office
from tests.support.engines import Crash, CrashingEngine, SlowEngine, WrappedEngine

MIME = b"From: anna@example.org\r\nTo: bob@example.com\r\nSubject: hi\r\n\r\nhello\r\n"
LOST = SubmissionFailed("connection lost", permanent=False, certain=False)


def letter(client_id: str = "1", mime: bytes = MIME, device: str = DEVICE, **values: Any) -> Letter:
    name = Name(f"{device}/id/{client_id}", f"{device}/", mime[:16] + bytes([sum(mime) % 256]))
    return Letter(name, mime, **values)


async def send(node: Node, what: Letter | None = None) -> Outcome:
    return await outbox.send(node.context(), what or letter())


def message_ids(office: Office) -> set[str]:
    return {index_message(message).message_id for message in office.server.tried}


# -- what is sent


async def test_a_message_is_sent_and_kept_read_in_sent_items() -> None:
    office = Office()
    node = await office.open()
    assert await send(node, letter(mime=b"Bcc: eve@example.com\r\n" + MIME)) is Outcome.SENT
    [(sender, recipients, message)] = office.server.taken
    assert (sender, recipients) == ("anna@example.org", ["bob@example.com", "eve@example.com"])
    assert b"eve@" not in message
    [copy] = await node.messages(SENT.id)
    assert b"eve@" in copy
    [item] = await node.members(SENT.id)
    assert item.value("read") is True
    assert item.device_of(item.adds[0].rid) == DEVICE  # so that it does not wake the phone's own Ping


async def test_without_a_copy_sent_items_stays_empty() -> None:
    office = Office()
    node = await office.open()
    assert await send(node, letter(is_saved=False)) is Outcome.SENT
    assert await node.members(SENT.id) == []


async def test_the_sender_is_forced_and_an_alias_is_kept() -> None:
    office = Office()
    node = await office.open()
    await send(node, letter("1", MIME.replace(b"anna@example.org", b"Boss <boss@example.com>")))
    await send(node, letter("2", MIME.replace(b"anna@example.org", b"a.smith@example.net")))
    assert [sender for sender, _, _ in office.server.taken] == ["anna@example.org", "a.smith@example.net"]
    first, second = (index_message(message) for _, _, message in office.server.taken)
    assert first.from_ == '"Boss" <anna@example.org>'
    assert first.message_id.endswith("@example.org>")
    assert second.message_id.endswith("@example.net>")


async def test_a_message_id_of_the_phone_stays() -> None:
    office = Office()
    node = await office.open()
    await send(node, letter(mime=b"Message-ID: <own@phone>\r\n" + MIME))
    assert message_ids(office) == {"<own@phone>"}


async def test_what_belongs_to_it_is_true_when_it_is_sent_and_only_then() -> None:
    office = Office()
    node = await office.open()
    place = await node.put(b"From: bob@example.com\r\n\r\n")
    mark = Set(place.partition(":")[2], "verb", [1, 7])
    office.server.errors = [SubmissionFailed("no", permanent=True)]
    assert await send(node, letter(records=(mark,))) is Outcome.REFUSED
    assert (await node.item(place)).value("verb") is None
    assert await send(node, letter(records=(mark,))) is Outcome.SENT
    assert (await node.item(place)).value("verb") == [1, 7]


@pytest.mark.parametrize(
    ("mime", "error"),
    [
        (b"", UnreadableMime),
        (b"Subject: nobody\r\n\r\n", NoRecipient),
        (b"To: bob@example.com, Carl\r\n\r\n", NoRecipient),
    ],
)
async def test_what_cannot_be_sent_leaves_no_trace(mime: bytes, error: type[Exception]) -> None:
    office = Office()
    node = await office.open()
    before = list(office.world.objects.keys)
    with pytest.raises(error):
        await send(node, letter(mime=mime))
    assert office.world.objects.keys == before


# -- again


async def test_the_same_name_again_sends_nothing() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    before = list(office.world.objects.keys)
    assert await send(node) is Outcome.BEFORE
    assert await send(node, letter("1", MIME + b"other bytes\r\n")) is Outcome.BEFORE
    assert len(office.server.taken) == 1
    assert office.world.objects.keys == before


async def test_the_same_bytes_under_another_name_send_nothing() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    assert await send(node, letter("2")) is Outcome.ALIKE
    assert len(office.server.taken) == 1


async def test_the_same_message_id_under_another_name_sends_nothing() -> None:
    office = Office()
    node = await office.open()
    mime = b"Message-ID: <m@phone>\r\n" + MIME
    await send(node, letter("1", mime))
    assert await send(node, letter("2", mime + b"longer\r\n")) is Outcome.ALIKE
    assert len(office.server.taken) == 1


async def test_another_device_may_send_the_same() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    assert await send(node, letter(device="other")) is Outcome.SENT
    assert len(office.server.taken) == 2


async def test_a_restart_remembers() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    node.die()
    later = await office.open()
    assert await outbox.known(later.context(), letter().name) is Outcome.BEFORE
    assert await outbox.known(later.context(), letter("2").name) is Outcome.ALIKE
    assert await outbox.known(later.context(), letter("2", b"X: y\r\n" + MIME).name) is None
    assert await send(later) is Outcome.BEFORE


async def test_a_checkpoint_remembers() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    await node.account.checkpoint()
    assert node.account.shed()
    assert await send(node) is Outcome.BEFORE


async def test_after_a_day_the_same_bytes_are_another_message() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    office.pass_time(milliseconds=ALIKE_MS)
    assert await send(node, letter("2")) is Outcome.ALIKE
    office.pass_time(milliseconds=1000)
    assert await send(node, letter("2")) is Outcome.SENT


async def test_after_two_days_a_name_may_come_again_for_another_message() -> None:
    office = Office()
    node = await office.open()
    await send(node)
    office.pass_time(milliseconds=KEPT_MS)
    assert await send(node) is Outcome.BEFORE
    office.pass_time(milliseconds=1000)
    assert await send(node) is Outcome.SENT
    assert await send(node) is Outcome.BEFORE
    assert len(await node.members(SENT.id)) == 2
    assert len(message_ids(office)) == 2


# -- failures


@pytest.mark.parametrize(
    ("failed", "outcome"),
    [
        (SubmissionFailed("no", permanent=True), Outcome.REFUSED),
        (SubmissionFailed("no", permanent=True, recipients=["bob@example.com"]), Outcome.BAD_RECIPIENT),
        (SubmissionFailed("later", permanent=False), Outcome.LATER),
        (SubmissionFailed("later", permanent=False, recipients=["bob@example.com"]), Outcome.LATER),
    ],
)
async def test_a_certain_failure_leaves_nothing_in_sent_items_and_may_be_tried_again(
    failed: SubmissionFailed, outcome: Outcome
) -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [failed]
    assert await send(node) is outcome
    assert await node.members(SENT.id) == []
    assert await send(node) is Outcome.SENT
    assert len(await node.members(SENT.id)) == 1
    assert len(message_ids(office)) == 1


async def test_an_unknown_outcome_is_waited_for_and_then_sent_under_the_same_message_id() -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [LOST]
    assert await send(node) is Outcome.LATER
    assert await send(node) is Outcome.LATER
    assert await send(node, letter("2")) is Outcome.LATER  # AOSP, with another ClientId
    office.pass_time(milliseconds=outbox.ABANDONED_MS)
    assert await send(node) is Outcome.LATER
    office.pass_time(milliseconds=1000)
    assert await send(node, letter("3")) is Outcome.SENT
    assert len(message_ids(office)) == 1
    assert await send(node) is Outcome.ALIKE


async def test_a_clock_that_is_hours_ahead_does_not_take_a_fresh_intent_for_abandoned() -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [LOST]
    assert await send(node) is Outcome.LATER
    office.set_forward(hours=5)
    other = await office.open()
    for each in (node, other):
        assert await send(each) is Outcome.LATER
    office.pass_time(milliseconds=outbox.ABANDONED_MS + 1)
    assert await send(other) is Outcome.SENT
    assert len(message_ids(office)) == 1


async def test_an_intent_of_yesterday_is_abandoned_for_whoever_just_came() -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [LOST]
    assert await send(node) is Outcome.LATER
    office.set_forward(milliseconds=outbox.FORSAKEN_MS + 1)
    assert await send(await office.open()) is Outcome.SENT


async def test_a_dead_process_is_not_waited_for() -> None:
    office = Office()
    node = await office.open()
    office.server.errors = [LOST]
    assert await send(node) is Outcome.LATER
    node.die()
    assert await send(await office.open()) is Outcome.SENT
    assert len(message_ids(office)) == 1


class Unsteady(WrappedEngine):
    """Refuses writes while `fails` is above 0; the write numbered `failing`, too.  `acts_first`: after doing them."""

    acts_first = False
    fails = 0
    failing = 0
    writes = 0

    async def _write(self, _verb: str, effect: Callable[[], Awaitable[None]]) -> None:
        self.writes += 1
        if self.fails or self.writes == self.failing:
            if self.acts_first:
                await effect()
            self.fails -= self.fails > 0
            raise Unavailable("as the test wants it")
        await effect()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "RETRY_SECONDS", ())


async def test_an_outcome_that_cannot_be_noted_is_noted_later() -> None:
    office = Office()
    engine = Unsteady(office.world.engine())
    node = await office.open(engine)
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def fail_twice() -> None:
        engine.fails = 2

    office.server.meanwhile = fail_twice
    assert await outbox.send(node.context(), letter(), sleep) is Outcome.SENT
    assert pauses == list(OUTCOME_PAUSES_SECONDS[:2])
    assert await send(await office.open()) is Outcome.BEFORE


async def test_an_outcome_that_is_never_noted_counts_as_unknown() -> None:
    office = Office()
    engine = Unsteady(office.world.engine())
    node = await office.open(engine)

    async def fail_for_long() -> None:
        engine.fails = 1000

    async def sleep(_seconds: float) -> None: ...

    office.server.meanwhile = fail_for_long
    with pytest.raises(Unavailable):
        await outbox.send(node.context(), letter(), sleep)
    assert await send(await office.open()) is Outcome.LATER


@pytest.mark.parametrize("at", [1, 2])
async def test_a_store_that_fails_before_submission_sends_nothing_and_stands_in_nobodys_way(at: int) -> None:
    office = Office()
    engine = Unsteady(office.world.engine())
    node = await office.open(engine)
    engine.failing = engine.writes + at
    with pytest.raises(Unavailable):
        await send(node)
    assert not office.server.tried
    assert await send(node) is Outcome.SENT


@pytest.mark.parametrize("fails", ["the intent", "what follows it"])
async def test_what_was_not_sent_is_noted_once_the_store_takes_it_again(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcomes, "WITHDRAWAL_PAUSES_SECONDS", (0.0,) * 20)
    office = Office()
    engine = Unsteady(office.world.engine())
    node = await office.open(engine)
    if fails == "the intent":  # it is there all the same, which nobody was told
        engine.acts_first = True
        engine.failing = engine.writes + 1
        with pytest.raises(Unavailable):
            await send(node)
    else:
        office.server.errors = [SubmissionFailed("busy", permanent=False)]

        async def fail_twice() -> None:
            engine.fails = 2

        office.server.meanwhile = fail_twice
        assert await send(node) is Outcome.LATER
        office.server.meanwhile = None
    for _ in range(1000):
        await asyncio.sleep(0)
    assert await send(await office.open()) is Outcome.SENT  # another node, which knows only what is noted


async def test_a_copy_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "COPY_SECONDS_MAX", 0.01)
    office = Office()
    is_slow = False

    async def pause() -> None:
        if is_slow:
            await asyncio.sleep(0.005)

    node = await office.open(SlowEngine(office.world.engine(), pause))
    is_slow = True
    assert await send(node) is Outcome.LATER
    assert not office.server.tried
    is_slow = False
    assert await send(node) is Outcome.SENT


async def test_a_process_that_stood_still_before_submission_does_not_submit(monkeypatch: pytest.MonkeyPatch) -> None:
    office = Office()
    node = await office.open()
    with monkeypatch.context() as patched:
        patched.setattr(outbox, "READY_SECONDS_MAX", -1.0)
        assert await send(node) is Outcome.LATER
    assert not office.server.tried
    assert await send(node) is Outcome.SENT


# -- at once


async def test_while_it_is_being_sent_nobody_else_sends_it() -> None:
    office = Office()
    node, other = await office.open(), await office.open()
    seen: list[Outcome] = []

    async def meanwhile() -> None:
        seen.extend([await send(other), await send(other, letter("2")), await send(node)])

    office.server.meanwhile = meanwhile
    assert await send(node) is Outcome.SENT
    assert seen == [Outcome.LATER] * 3
    assert [await send(other), await send(other, letter("2"))] == [Outcome.BEFORE, Outcome.ALIKE]
    assert len(office.server.taken) == 1


@pytest.mark.parametrize("seed", range(60))
async def test_nodes_that_send_it_at_once_send_it_once(seed: int) -> None:
    random = Random(seed)
    office = Office()

    async def pause() -> None:
        for _ in range(random.randint(0, 5)):
            await asyncio.sleep(0)

    nodes = [await office.open(SlowEngine(office.world.engine(), pause)) for _ in range(3)]
    letters = [letter(random.choice("12")) for _ in nodes]
    outcomes = await asyncio.gather(*(send(node, each) for node, each in zip(nodes, letters, strict=True)))
    assert outcomes.count(Outcome.SENT) == len(office.server.taken) <= 1
    last = await send(nodes[0], letter("1"))  # the phone tries again, for all have answered
    assert last in (Outcome.SENT, Outcome.BEFORE, Outcome.ALIKE)
    assert len(office.server.taken) == 1
    assert len(await nodes[0].members(SENT.id)) == 1


# -- a crash at every write


async def until_death(engine: CrashingEngine, doing: Coroutine[Any, Any, Outcome]) -> Outcome | None:
    """Return the outcome, None when the process died before it had one."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # nobody hears of the writer's end
    task = asyncio.create_task(doing)
    while not task.done() and not engine.is_dead:
        await asyncio.sleep(0.001)
    task.cancel()
    [result] = await asyncio.gather(task, return_exceptions=True)
    return result if isinstance(result, Outcome) and not engine.is_dead else None


WRITES = 3  # intent, copy, outcome


@pytest.mark.parametrize("is_last_kept", [False, True])
@pytest.mark.parametrize("writes", range(WRITES + 1))
@pytest.mark.parametrize("knows_the_dead", [False, True])
async def test_a_crash_at_any_write_loses_nothing_and_doubles_only_in_the_stated_window(
    writes: int, is_last_kept: bool, knows_the_dead: bool
) -> None:
    office = Office()
    engine = CrashingEngine(office.world.engine(), 1000, is_last_kept=is_last_kept)
    node = await office.open(engine)
    engine.writes_left = writes
    outcome = await until_death(engine, send(node))
    taken_before = len(office.server.taken)
    is_noted = writes == WRITES or (writes == WRITES - 1 and is_last_kept)
    assert (outcome is Outcome.SENT) == (writes == WRITES)
    if knows_the_dead:
        node.die()
    phone = await office.open()
    again = await send(phone)
    if again is Outcome.LATER:
        office.pass_time(minutes=11)
        again = await send(phone)
    assert again is (Outcome.BEFORE if is_noted else Outcome.SENT)
    is_in_window = taken_before == 1 and not is_noted
    assert len(office.server.taken) == (2 if is_in_window else 1)
    assert len(message_ids(office)) == 1
    assert len(await phone.members(SENT.id)) == 1


@pytest.mark.parametrize("is_taken", [False, True])
async def test_a_crash_within_submission_loses_nothing(is_taken: bool) -> None:
    office = Office()
    node = await office.open()

    async def die() -> None:
        if is_taken:
            office.server.taken.append(("", [], b""))
        raise Crash

    office.server.meanwhile = die
    with pytest.raises(Crash):
        await send(node)
    node.die()
    assert await send(await office.open()) is Outcome.SENT
    assert len(office.server.taken) == 1 + is_taken


async def test_a_cancelled_request_leaves_it_open() -> None:
    office = Office()
    node = await office.open()
    never = asyncio.Event()

    async def hang() -> None:
        await never.wait()

    office.server.meanwhile = hang
    task = asyncio.create_task(send(node))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await send(node) is Outcome.LATER


def test_an_attempt_is_over_before_its_intent_counts_as_abandoned() -> None:
    seconds = SUBMIT_SECONDS_MAX + outbox.READY_SECONDS_MAX
    assert seconds * 1000 < outbox.ABANDONED_MS
