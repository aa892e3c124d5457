"""The fuzz targets, for a moment: that they run, and survive a few hundred inputs that are always the same."""

import pytest

from tests.fuzz.__main__ import TARGETS, main
from tests.fuzz.target import Target, check, input_of


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_its_seeds_and_some_mutations(name: str) -> None:
    for data in TARGETS[name].seeds:
        check(TARGETS[name], data)
    for number in range(200):
        check(TARGETS[name], input_of(TARGETS[name], str(number)))


def test_a_seed_makes_one_input() -> None:
    assert input_of(TARGETS["wbxml"], "1") == input_of(TARGETS["wbxml"], "1") != input_of(TARGETS["wbxml"], "2")


def test_finds_what_a_target_does_not_survive(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_nul(data: bytes) -> None:
        if b"\x00" in data:
            raise IndexError

    monkeypatch.setitem(TARGETS, "fragile", Target(no_nul, [b"seed"]))
    assert main(["--seconds", "30", "fragile"]) == 1
    found = capsys.readouterr().out
    seed = found.split("seed ")[1].split(",")[0]
    assert main(["--seconds", "0", "--seed", seed, "fragile"]) == 1
    assert capsys.readouterr().out == found


def test_ends_well_when_all_survive(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0", "query"]) == 0
    assert capsys.readouterr().out == "query: 1 inputs survived\n"
