"""Neighbours in a pack are read together: never more than the bounds, and never less than what is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from storage.runs import GAP_BYTES_MAX, GAPS_BYTES_MAX, RUN_BYTES_MAX, Wanted, runs

wanted_lists = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 3 * RUN_BYTES_MAX),
        st.integers(0, 2 * GAP_BYTES_MAX) | st.integers(0, 2 * RUN_BYTES_MAX),
    ),
    max_size=40,
)


@given(wanted_lists)
def test_every_range_lies_in_one_run_and_no_run_is_longer_than_it_may(ranges: list[tuple[str, int, int]]) -> None:
    wanted = [Wanted(*each, place) for place, each in enumerate(ranges)]
    found = runs(wanted)
    assert sorted(part for run in found for part in run.parts) == sorted(wanted)
    for run in found:
        for part in run.parts:
            assert part.pack == run.pack
            assert run.start <= part.start
            assert part.start + part.size <= run.start + run.size
        assert run.start == min(part.start for part in run.parts)
        assert run.start + run.size == max(part.start + part.size for part in run.parts)
        assert run.size <= max(RUN_BYTES_MAX, *(part.size for part in run.parts), 0)


@given(wanted_lists)
def test_what_is_read_for_nothing_is_bounded(ranges: list[tuple[str, int, int]]) -> None:
    found = runs(Wanted(*each, place) for place, each in enumerate(ranges))
    assert sum(run.size for run in found) <= sum(size for _, _, size in ranges) + GAPS_BYTES_MAX


def test_neighbours_come_together_and_what_lies_far_off_comes_alone() -> None:
    step = GAP_BYTES_MAX + 10
    near = [Wanted("a", start, 10, start) for start in (0, 10, 10 + step)]
    far = [Wanted("a", 10 + step + 10 + GAP_BYTES_MAX + 1, 10, 0), Wanted("b", 20, 10, 0)]
    assert [(run.pack, run.start, len(run.parts)) for run in runs([*far, *reversed(near)])] == [
        ("a", 0, 3),
        ("a", far[0].start, 1),
        ("b", 20, 1),
    ]


def test_no_run_grows_past_its_bound() -> None:
    size = RUN_BYTES_MAX // 2
    assert [len(run.parts) for run in runs(Wanted("a", place * size, size, place) for place in range(5))] == [2, 2, 1]


def test_gaps_are_read_over_until_they_are_too_many() -> None:
    many = 2 * GAPS_BYTES_MAX // GAP_BYTES_MAX
    found = runs(Wanted("a", place * (GAP_BYTES_MAX + 1), 1, place) for place in range(many))
    assert sum(len(run.parts) > 1 for run in found) >= 1
    assert sum(run.size for run in found) <= GAPS_BYTES_MAX + many
