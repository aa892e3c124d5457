"""`petitbleu check --repair`: what it tells, that it asks, and what it leaves alone."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from eas.run.sections import load
from storage import paths
from storage.engine_local import LocalEngine
from storage.opening import open_store
from storage.paths import Kind
from storage.store import Store
from tests.eas.test_cli import ANNA, Run, _logging_as_before, config, deliver, run, site

__all__ = ["_logging_as_before", "config", "run", "site"]
WORD = "geheim\n"
REPAIR = ("check", "--account", ANNA, "--password-stdin", "--repair")


def damage(config: Path, which: Callable[[list[str]], str]) -> str:
    """Spoil one of the account's commits; return its name."""

    async def spoil() -> str:
        store: Store = await open_store(load(config).storage)
        account = store.account_id(await store.directory.resolve(ANNA))
        name = which([entry.key for entry in await store.engine.list(paths.prefix(Kind.LOG, account))])
        await store.engine.put(name, (await store.engine.get(name))[:-1] + b"?")
        await store.close()
        return name

    return asyncio.run(spoil())


def put(config: Path, name: str) -> None:
    async def put() -> None:
        engine = await LocalEngine.open(load(config).storage.path)
        await engine.put(name, b"what is this")
        await engine.close()

    asyncio.run(put())


def test_what_is_whole_needs_no_repair(site: Run, config: Path) -> None:
    deliver(config, 3)
    code, out, error = site(*REPAIR, stdin=WORD)
    assert (code, error) == (0, "")
    assert out.startswith(f"{ANNA}: nothing to repair")


def test_a_loss_must_be_accepted_and_the_rest_goes_on(site: Run, config: Path) -> None:
    deliver(config, 5)
    bad = damage(config, lambda names: names[1])
    assert "opens up to 1 only, of 5" in site("check", "--account", ANNA, "--password-stdin", stdin=WORD)[2]
    for arguments in ((), ("--dry-run",), ("--dry-run", "--accept-loss")):
        code, out, error = site(*REPAIR, *arguments, "--yes", stdin=WORD)
        assert code == 1
        assert f"lost: {bad}: does not open" in out
        assert ("say --accept-loss" in error) != ("--accept-loss" in arguments)
    assert site(*REPAIR, "--accept-loss", stdin=WORD)[2] == "petitbleu: nobody to ask: say --yes\n"
    code, out, error = site(*REPAIR, "--accept-loss", "--yes", stdin=WORD)
    assert (code, error) == (0, "")
    assert "repaired; 1 objects were set aside" in out
    assert "4 items" in out
    assert out.endswith("1 objects were set aside by a repair\n")
    assert site(*REPAIR, stdin=WORD)[0] == 0


def test_objects_that_are_not_of_ours_go_when_one_says_so(site: Run, config: Path) -> None:
    put(config, "photos/1.jpg")
    put(config, "a/x/y")
    arguments = ("check", "--repair", "--remove-alien")
    code, out, _ = site(*arguments, "--dry-run")
    assert (code, "not of ours: 'photos/1.jpg'" in out) == (1, True)
    assert site(*arguments)[2] == "petitbleu: nobody to ask: say --yes\n"
    code, out, _ = site(*arguments, "--yes")
    assert (code, "2 objects removed" in out) == (0, True)
    assert site(*arguments)[:2][0] == 0


@pytest.mark.parametrize("arguments", [("--repair",), ("--dry-run",), ("--accept-loss", "--account", ANNA)])
def test_what_does_not_go_together_ends_with_code_2(site: Run, arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as ended:
        site("check", *arguments)
    assert ended.value.code == 2
