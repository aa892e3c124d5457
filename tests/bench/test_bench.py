import pytest

from eas.wbxml.decoder import decode
from eas.wbxml.encoder import encode
from tests.bench.__main__ import BENCHMARKS, main
from tests.bench.figure import Figure, best_seconds
from tests.bench.naive import NaiveDecoder, NaiveEncoder
from tests.wbxml.documents import sync_answer

GOOD = Figure("good", 1.0, "ms", 2.0)
PAST = Figure("past", 7.0, "×", 8.0, "at least")


@pytest.mark.parametrize(
    ("figure", "passes"),
    [
        (Figure("shown", 99.0, "ms"), True),
        (GOOD, True),
        (Figure("exact", 2.0, "ms", 2.0), True),
        (Figure("slow", 2.1, "ms", 2.0), False),
        (PAST, False),
        (Figure("quick", 8.0, "×", 8.0, "at least"), True),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_figure_is_compared_with_its_budget(figure: Figure, passes: bool) -> None:
    assert figure.passes is passes
    assert str(figure).startswith("PAST") is not passes


def test_exits_1_past_a_budget_and_0_when_it_only_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(BENCHMARKS, "good", lambda: [GOOD])
    monkeypatch.setitem(BENCHMARKS, "past", lambda: [GOOD, PAST])
    assert main(["good"]) == 0
    assert main(["good", "past"]) == 1
    assert main(["--print-only", "past"]) == 0
    assert "at least 8 ×" in capsys.readouterr().out


def test_the_best_run_counts() -> None:
    assert 0 <= best_seconds(lambda: None, repeats=3) < 1


def test_the_naive_codec_agrees_with_the_real_one() -> None:
    root = sync_answer(messages=2)
    document = encode(root)
    assert NaiveDecoder(document).decode() == root == decode(document)
    assert NaiveEncoder().encode(root) == document
