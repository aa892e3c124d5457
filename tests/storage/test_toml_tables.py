"""Tables become dataclasses, or say which key is wrong."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.toml_tables import Between, SettingError, TableReader, toml_value


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Outer:
    due: str
    flag: bool = False
    count: Annotated[int, Between(1, 9)] = 5
    ratio: Annotated[float, Between(0, 1)] = 0.5
    path: Path = Path("here")
    choice: Literal["one", "two"] = "one"
    texts: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    plain: dict[str, int] = field(default_factory=dict)
    perhaps: int | None = None
    inner: Inner = Inner("default")
    inners: tuple[Inner, ...] = ()

    def __post_init__(self) -> None:
        if self.due == "bad":
            raise ValueError("due must not be bad")


READER = TableReader(Outer, Path("/folder"))


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (5, "t: must be a table"),
        ({}, "t.due: is missing"),
        ({"due": "bad"}, "t: due must not be bad"),
        ({"due": "x", "cuont": 1}, "t.cuont: unknown key; did you mean count?"),
        ({"due": "x", "zzzzzzz": 1}, "t.zzzzzzz: unknown key; known are due, flag"),
        ({"due": 5}, "t.due: must be a text"),
        ({"due": "x", "flag": 1}, "t.flag: must be true or false"),
        ({"due": "x", "flag": "true"}, "t.flag: must be true or false"),
        ({"due": "x", "count": True}, "t.count: must be a whole number"),
        ({"due": "x", "count": 5.0}, "t.count: must be a whole number"),
        ({"due": "x", "count": 0}, "t.count: must be 1 to 9, not 0"),
        ({"due": "x", "count": 10}, "t.count: must be 1 to 9, not 10"),
        ({"due": "x", "ratio": 1.5}, "t.ratio: must be 0 to 1"),
        ({"due": "x", "ratio": float("nan")}, "t.ratio: must be 0 to 1"),
        ({"due": "x", "ratio": "0.5"}, "t.ratio: must be a number"),
        ({"due": "x", "path": ""}, "t.path: must be a path"),
        ({"due": "x", "path": 5}, "t.path: must be a path"),
        ({"due": "x", "choice": "three"}, 't.choice: must be one of "one", "two"'),
        ({"due": "x", "choice": True}, "t.choice: must be one of"),
        ({"due": "x", "texts": "one"}, "t.texts: must be a list"),
        ({"due": "x", "texts": ["one", 2]}, r"t.texts\[1\]: must be a text"),
        ({"due": "x", "names": ["one"]}, "t.names: must be a table"),
        ({"due": "x", "names": {"one": 1}}, "t.names.one: must be a text"),
        ({"due": "x", "perhaps": "5"}, "t.perhaps: must be a whole number"),
        ({"due": "x", "inner": {}}, "t.inner.name: is missing"),
        ({"due": "x", "inners": [{"name": "a"}, {"nam": "b"}]}, r"t.inners\[1\].nam: unknown key; did you mean name"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(table: object, says: str) -> None:
    with pytest.raises(SettingError, match=says):
        READER.read(table, "t")


def test_defaults_count_where_nothing_is_said() -> None:
    assert READER.read({"due": "x"}, "t") == Outer("x")


def test_every_type_is_read() -> None:
    text = """
        due = "x"
        flag = true
        count = 9
        ratio = 1
        path = "there/store"
        choice = "two"
        texts = ["a", "b"]
        names = { a = "b" }
        plain = { a = 1 }
        perhaps = 7
        inner = { name = "n", count = 2 }
        [[inners]]
        name = "m"
    """
    assert READER.read(tomllib.loads(text), "t") == Outer(
        "x", True, 9, 1.0, Path("/folder/there/store"), "two", ("a", "b"), {"a": "b"}, {"a": 1}, 7,
        Inner("n", 2), (Inner("m"),),
    )  # fmt: skip


def test_an_absolute_path_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    assert READER.read({"due": "x", "path": "/srv/store"}, "t").path == Path("/srv/store")
    assert READER.read({"due": "x", "path": "~/store"}, "t").path == Path("/home/anna/store")


def test_a_class_that_cannot_be_read_is_a_mistake_of_ours() -> None:
    @dataclass
    class Odd:
        value: bytes = b""

    with pytest.raises(TypeError):
        TableReader(Odd, Path())
    with pytest.raises(TypeError):
        TableReader(int, Path())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_reading_undoes_writing(value: Any) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}


@pytest.mark.parametrize("value", [None, b"bytes", object()])
def test_what_toml_has_not_is_not_written(value: object) -> None:
    with pytest.raises(TypeError):
        toml_value(value)
