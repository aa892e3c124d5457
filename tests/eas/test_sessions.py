"""Sessions: who gets in, what it costs, who is slowed, and when keys are forgotten."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from eas.cli import admin
from eas.login import admission, sessions
from eas.login.admission import DELAY_SECONDS_MAX, WRONG_KNOWN_SECONDS, WRONG_SECONDS, network
from eas.login.guesses import BOUNDS, Kind
from eas.login.sessions import CHECK_SECONDS, LoginRefused, Sessions
from storage.engine import Unavailable
from storage.errors import DirectoryUnavailable
from storage.keyring import passwords
from storage.seal import stretch
from storage.store import Store
from tests.eas.world import open_filled_store

LIFETIME = 900.0
FREE = BOUNDS[Kind.PLACE].free


def basic(user: str, password: str, charset: str = "utf-8") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode(charset)).decode()


RIGHT = basic("u1@example.test", "pw-u1")


class Gate:
    """Sessions with a clock to be set; sleeping moves it."""

    def __init__(self, store: Store) -> None:
        self.now, self.slept, self.waited_for = 1000.0, [0.0], set[str]()
        self.sessions = Sessions(
            store, LIFETIME, lambda account: account in self.waited_for, clock=lambda: self.now, sleep=self.sleep
        )
        self.store = store

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def status(self, authorization: str, device: str = "phone", remote: str = "192.0.2.1") -> int:
        """Return 200, or the refusal's status."""
        try:
            await self.sessions.account(authorization, device, remote)
        except LoginRefused as refused:
            return refused.response.status
        return 200

    async def wrong(
        self, times: int, *, user: str = "u1", device: str = "thief", remote: str = "203.0.113.9"
    ) -> list[int]:
        """Guess that often, each time something else."""
        return [await self.status(basic(user, f"guess {n} {device}"), device, remote) for n in range(times)]


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Gate]:
    store = await open_filled_store(tmp_path)
    gate = Gate(store)
    yield gate
    await gate.sessions.close()
    await store.close()


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Count Argon2 runs."""
    counted: list[bytes] = []

    def counting(secret: bytes, salt: bytes, memory_kib: int, passes: int, lanes: int) -> bytes:
        counted.append(salt)
        return stretch(secret, salt, memory_kib, passes, lanes)

    monkeypatch.setattr(passwords, "stretch", counting)
    return counted


@pytest.mark.parametrize("header", ["", "Basic", "Bearer x", basic("u1", "")])
async def test_no_login_is_challenged_with_an_empty_body(gate: Gate, header: str) -> None:
    with pytest.raises(LoginRefused) as refused:
        await gate.sessions.account(header, "phone", "192.0.2.1")
    response = refused.value.response
    assert (response.status, response.body) == (401, b"")
    assert response.headers["WWW-Authenticate"].startswith("Basic realm=")


@pytest.mark.parametrize(
    "user", ["u1@example.test", "U1@Example.TEST", "u1", "U1", "example.test\\u1", "WORKGROUP\\u1"]
)
async def test_users_are_known_by_every_name_that_phones_send(gate: Gate, user: str) -> None:
    account = await gate.sessions.account(basic(user, "pw-u1"), "phone", "")
    assert account.identity.address == "u1@example.test"


@pytest.mark.parametrize(
    "user", ["u3", "u1@elsewhere.test2", "", "@", "\\", "u1@example.test@example.test", "x" * 2000]
)
async def test_nobody_gets_in_under_a_name_that_nobody_has(gate: Gate, user: str) -> None:
    if user.startswith("u1@elsewhere"):  # a domain that is not ours is not looked at: phones send anything there
        assert await gate.status(basic(user, "pw-u1")) == 200
    else:
        assert await gate.status(basic(user, "pw-u1")) == 401


async def test_a_password_is_read_in_both_charsets(gate: Gate) -> None:
    mailbox = await admin.find(gate.store, "u1")
    await admin.change_password(gate.store, mailbox, "pw-u1", "größer als ÿ")
    for charset in ("utf-8", "latin-1"):
        assert await gate.status(basic("u1", "größer als ÿ", charset)) == 200


async def test_a_known_phone_costs_no_argon2(gate: Gate, runs: list[bytes]) -> None:
    for _ in range(1000):
        gate.now += LIFETIME / 2
        assert await gate.status(RIGHT) == 200
    assert len(runs) == 1


async def test_many_first_requests_at_once_run_argon2_once(gate: Gate, runs: list[bytes]) -> None:
    accounts = await asyncio.gather(*(gate.sessions.account(RIGHT, "phone", "") for _ in range(50)))
    assert len(runs) == 1
    assert len(set(map(id, accounts))) == 1


async def test_who_gives_up_does_not_spoil_it_for_others(gate: Gate, runs: list[bytes]) -> None:
    first = asyncio.create_task(gate.sessions.account(RIGHT, "phone", ""))
    second = asyncio.create_task(gate.sessions.account(RIGHT, "phone", ""))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).identity.address == "u1@example.test"
    assert len(runs) == 1
    assert len(gate.sessions) == 1


async def test_the_devices_of_a_user_have_one_account(gate: Gate) -> None:
    one = await gate.sessions.account(RIGHT, "phone", "")
    other = await gate.sessions.account(basic("U1", "pw-u1"), "tablet", "")
    none = await gate.sessions.account(RIGHT, "", "")
    assert one is other is none
    assert len(gate.sessions) == 3


async def test_the_letter_case_of_a_device_does_not_matter(gate: Gate, runs: list[bytes]) -> None:
    await gate.sessions.account(RIGHT, "APPLDN6", "")
    await gate.sessions.account(RIGHT, "applDN6", "")
    assert len(runs) == 1


async def test_a_session_ends_with_its_lifetime(gate: Gate, runs: list[bytes]) -> None:
    await gate.status(RIGHT)
    gate.now += LIFETIME
    gate.sessions.sweep()
    assert len(gate.sessions) == 0
    assert await gate.status(RIGHT) == 200
    assert len(runs) == 2


async def test_a_session_stays_while_a_phone_waits(gate: Gate, runs: list[bytes]) -> None:
    account = await gate.sessions.account(RIGHT, "phone", "")
    gate.waited_for.add(account.id)
    for _ in range(10):
        gate.now += LIFETIME
        gate.sessions.sweep()
    assert await gate.status(RIGHT) == 200
    assert len(runs) == 1
    gate.waited_for.clear()
    gate.now += LIFETIME
    gate.sessions.sweep()
    assert len(gate.sessions) == 0


async def test_sessions_are_bounded(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "SESSIONS_MAX", 3)
    for n in range(5):
        assert await gate.status(RIGHT, f"phone{n}") == 200
    assert len(gate.sessions) == 3


async def test_a_new_password_ends_sessions_at_once(gate: Gate) -> None:
    await gate.status(RIGHT)
    await admin.change_password(gate.store, await admin.find(gate.store, "u1"), "pw-u1", "new")
    assert await gate.status(RIGHT) == 401
    assert await gate.status(basic("u1", "new")) == 200


async def test_a_new_password_that_nobody_told_of_ends_sessions_within_a_minute(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gate.status(RIGHT)
    monkeypatch.setattr(gate.store.feed, "publish", lambda *_: None)
    await admin.change_password(gate.store, await admin.find(gate.store, "u1"), "pw-u1", "new")
    assert await gate.status(RIGHT) == 200
    gate.now += CHECK_SECONDS
    assert await gate.status(RIGHT) == 401


async def test_a_user_who_was_removed_is_out(gate: Gate, tmp_path: Path) -> None:
    await gate.status(RIGHT)
    (tmp_path / "accounts.toml").write_text("")
    gate.now += CHECK_SECONDS
    assert await gate.status(RIGHT) == 401


async def test_a_store_that_cannot_be_reached_does_not_end_sessions(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gate.status(RIGHT)
    gate.now += CHECK_SECONDS
    monkeypatch.setattr(gate.store.engine, "list", fail_with(Unavailable("away")))
    assert await gate.status(RIGHT) == 200


@pytest.mark.parametrize("error", [Unavailable("away"), DirectoryUnavailable("away")])
async def test_trouble_is_raised_and_is_no_guess(gate: Gate, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    owner = gate.store.engine if isinstance(error, Unavailable) else gate.store.directory
    for _ in range(BOUNDS[Kind.ADDRESS].free + 5):
        with monkeypatch.context() as patched:
            patched.setattr(owner, "list" if isinstance(error, Unavailable) else "login", fail_with(error))
            with pytest.raises(type(error)):
                await gate.sessions.account(RIGHT, "phone", "192.0.2.1")
    assert await gate.status(RIGHT) == 200
    assert gate.slept == [0.0]


async def test_guesses_are_slowed_and_then_refused_unseen(gate: Gate, runs: list[bytes]) -> None:
    statuses = await gate.wrong(20)
    assert statuses[:FREE] == [401] * FREE
    assert gate.slept[1:] == [1, 2, 4]
    assert set(statuses[FREE + 3 :]) == {503}
    assert len(runs) == FREE + 3


async def test_a_refused_guess_says_when_to_come_back(gate: Gate) -> None:
    await gate.wrong(20)
    with pytest.raises(LoginRefused) as refused:
        await gate.sessions.account(basic("u1", "another"), "thief", "203.0.113.9")
    seconds = int(refused.value.response.headers["Retry-After"])
    assert DELAY_SECONDS_MAX < seconds <= 60
    gate.now += seconds
    assert await gate.status(basic("u1", "another"), "thief", "203.0.113.9") == 401


async def test_guesses_at_once_do_not_slip_through(gate: Gate, runs: list[bytes]) -> None:
    await asyncio.gather(*(gate.status(basic("u1", f"guess {n}"), "thief", "203.0.113.9") for n in range(200)))
    assert len(runs) <= FREE + 3


async def test_many_phones_at_once_are_let_in_without_delay_though_they_share_an_address(tmp_path: Path) -> None:
    store = await open_filled_store(tmp_path, accounts=60)
    gate = Gate(store)
    statuses = await asyncio.gather(*(gate.status(basic(f"u{n}", f"pw-u{n}")) for n in range(1, 61)))
    statuses += await asyncio.gather(*(gate.status(RIGHT, f"phone{n}") for n in range(60)))
    assert set(statuses) == {200}
    assert gate.slept == [0.0]
    await gate.sessions.close()
    await store.close()


async def test_a_phone_that_is_in_is_not_delayed_by_others(gate: Gate, runs: list[bytes]) -> None:
    assert await gate.status(RIGHT) == 200
    await gate.wrong(30)
    await gate.wrong(30, device="phone", remote="192.0.2.1")  # even by one who knows its name and shares its address
    gate.slept.clear()
    assert await gate.status(RIGHT) == 200
    gate.now += LIFETIME
    gate.sessions.sweep()
    runs.clear()
    await gate.wrong(30, device="phone", remote="192.0.2.1")
    gate.slept.clear()
    assert await gate.status(RIGHT) == 200
    assert gate.slept == []


async def test_a_phone_that_was_in_may_bring_a_new_password_while_others_guess(gate: Gate) -> None:
    assert await gate.status(RIGHT) == 200
    await admin.change_password(gate.store, await admin.find(gate.store, "u1"), "pw-u1", "new")
    await gate.wrong(30)
    gate.slept.clear()
    assert await gate.status(basic("u1", "new")) == 200
    assert gate.slept == []


async def test_a_new_phone_is_not_delayed_by_one_who_guesses_elsewhere(gate: Gate) -> None:
    for _ in range(100):
        await gate.wrong(1, device=f"thief {gate.now}")
        gate.now += 5
    gate.slept.clear()
    assert await gate.status(RIGHT) == 200
    assert gate.slept == []


async def test_a_new_phone_is_delayed_for_a_minute_at_most_though_many_guess_from_everywhere(gate: Gate) -> None:
    for n in range(40):
        await gate.wrong(1, device=f"thief{n}", remote=f"203.0.113.{n}")
    assert await gate.status(RIGHT) == 503
    gate.now += 60
    assert await gate.status(RIGHT) == 200


async def test_guesses_at_many_accounts_from_one_address_are_slowed(gate: Gate) -> None:
    for n in range(BOUNDS[Kind.ADDRESS].free + 10):
        assert await gate.status(basic(f"nobody{n}", "x"), f"d{n}", "203.0.113.9") == 401
    assert gate.slept[-5:] == [BOUNDS[Kind.ADDRESS].delay_seconds_max] * 5
    gate.slept.clear()
    assert await gate.status(RIGHT, remote="192.0.2.1") == 200
    assert gate.slept == []


async def test_an_old_password_that_comes_again_and_again_costs_little_and_slows_nobody(
    gate: Gate, runs: list[bytes]
) -> None:
    for _ in range(100):
        assert await gate.status(basic("u1", "old")) == 401
    assert len(runs) == 1
    for _ in range(10):
        gate.now += WRONG_SECONDS
        assert await gate.status(basic("u1", "old")) == 401
    assert gate.slept == [0.0]
    assert WRONG_KNOWN_SECONDS > 10 * WRONG_SECONDS
    assert await gate.status(RIGHT) == 200


async def test_a_wrong_password_that_was_made_right_gets_in_at_once(gate: Gate, runs: list[bytes]) -> None:
    for _ in range(2):
        assert await gate.status(basic("u1", "new")) == 401
        assert await gate.status(basic("u1", "other")) == 401
    await admin.change_password(gate.store, await admin.find(gate.store, "u1"), "pw-u1", "new")
    assert await gate.status(basic("u1", "new")) == 200
    slept = list(gate.slept)
    assert await gate.status(basic("u1", "other")) == 401
    assert gate.slept == slept  # it was looked at again, and counts no second time


async def test_no_more_guesses_wait_than_there_is_room_for(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "DELAYED_MAX", 0)
    statuses = await gate.wrong(FREE + 1)
    assert statuses[-1] == 503
    monkeypatch.setattr(sessions, "UNLOCKS_MAX", 0)
    assert await gate.status(RIGHT) == 503


def test_an_address_counts_by_its_host() -> None:
    assert network("192.0.2.1") == "192.0.2.1"
    assert network("2001:db8::1") == network("2001:db8::ffff:2") == "2001:db8::/64"
    assert network("") == ""


def fail_with(error: Exception) -> Callable[..., Awaitable[None]]:
    async def fail(*_: object, **__: object) -> None:
        raise error

    return fail
