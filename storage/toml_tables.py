"""TOML tables read into frozen dataclasses, and values written as TOML.

The dataclass is the whole description: a field's name is the key, its type the value's, its default is what counts
when the key is missing (without a default the key is due), and `Annotated[int, Between(1, 9)]` bounds it.  What a
class checks beyond that it does in `__post_init__`, raising ValueError.
"""

import dataclasses
import json
import types
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", Path: "a path"}


class SettingError(Exception):
    """A file does not say what it should; the message is for whoever wrote it."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """The least and the greatest value that a number may have."""

    least: float
    greatest: float


class TableReader(Generic[T]):
    """Reads tables as instances of *cls*, a dataclass; types are looked up once.

    Relative paths are taken from *folder*: where the file lies, not where the process was started.
    """

    def __init__(self, cls: type[T], folder: Path) -> None:
        if not dataclasses.is_dataclass(cls):
            raise TypeError(f"{cls!r} is no dataclass")
        hints = get_type_hints(cls, include_extras=True)
        self._cls = cls
        self._readers = {field.name: _ValueReader(hints[field.name], folder) for field in dataclasses.fields(cls)}
        self._due = [
            field.name
            for field in dataclasses.fields(cls)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]

    def read(self, table: object, where: str) -> T:
        """Return the instance that *table* describes.  Raises `SettingError` with the key that is wrong."""
        if not isinstance(table, dict):
            raise SettingError(where, "must be a table")
        values = {}
        for key, value in table.items():
            if key not in self._readers:
                raise SettingError(f"{where}.{key}", unknown_key(key, self._readers))
            values[key] = self._readers[key].read(value, f"{where}.{key}")
        for key in self._due:
            if key not in values:
                raise SettingError(f"{where}.{key}", "is missing")
        try:
            return self._cls(**values)
        except ValueError as error:
            raise SettingError(where, str(error)) from error


class _ValueReader:
    """Reads one value of one type."""

    def __init__(self, hint: Any, folder: Path) -> None:
        self._between: Between | None = None
        while True:
            if get_origin(hint) is Annotated:
                hint, *notes = get_args(hint)
                self._between = next((note for note in notes if isinstance(note, Between)), None)
            elif get_origin(hint) in (Union, types.UnionType):  # None itself is written by leaving the key out
                [hint] = [choice for choice in get_args(hint) if choice is not types.NoneType]
            else:
                break
        self._hint = hint
        self._origin = get_origin(hint) or hint
        self._folder = folder
        self._inner: _ValueReader | None = None
        self._table: TableReader[Any] | None = None
        if self._origin is tuple:
            self._inner = _ValueReader(get_args(hint)[0], folder)
        elif self._origin in (dict, Mapping):
            self._inner = _ValueReader(get_args(hint)[1], folder)
        elif dataclasses.is_dataclass(hint):
            self._table = TableReader(hint, folder)  # type: ignore[arg-type]
        elif self._origin is not Literal and hint not in _NAMES:
            raise TypeError(f"no way to read {hint!r} from TOML")

    def read(self, value: object, where: str) -> object:
        """Return *value* as this type.  Raises `SettingError`."""
        if self._table is not None:
            return self._table.read(value, where)
        if self._origin is tuple and self._inner is not None:
            if not isinstance(value, list):
                raise SettingError(where, "must be a list: [...]")
            return tuple(self._inner.read(item, f"{where}[{index}]") for index, item in enumerate(value))
        if self._inner is not None:
            if not isinstance(value, dict):
                raise SettingError(where, "must be a table: {name = value}")
            return {key: self._inner.read(item, f"{where}.{key}") for key, item in value.items()}
        if self._origin is Literal:
            return self._choice(value, where)
        return self._scalar(value, where)

    def _choice(self, value: object, where: str) -> object:
        choices = get_args(self._hint)
        if value in choices and not isinstance(value, bool):
            return value
        raise SettingError(where, f"must be one of {', '.join(toml_value(choice) for choice in choices)}")

    def _scalar(self, value: object, where: str) -> object:
        hint = self._hint
        if hint is float and type(value) is int:
            value = float(value)
        if hint is Path and isinstance(value, str) and value:
            return self._folder / Path(value).expanduser()
        if type(value) is not hint:  # a bool is an int to isinstance, and never meant as one
            raise SettingError(where, f"must be {_NAMES[hint]}")
        if self._between is not None and isinstance(value, int | float):
            least, greatest = self._between.least, self._between.greatest
            if not least <= value <= greatest:
                raise SettingError(where, f"must be {least} to {greatest}, not {value}")
        return value


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Return what to say of a key that nothing reads, naming the one that was probably meant."""
    near = get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f"unknown key; did you mean {near[0]}?" if near else f"unknown key; known are {', '.join(known)}"


def toml_value(value: object) -> str:
    """Write a value as TOML on one line.  Raises TypeError for a type that TOML has not, None among them."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str() | Path():
            # TOML's basic strings are JSON's, except that DEL must be escaped, and no half of a pair may be written.
            text = json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
            text.encode()
            return text
        case tuple() | list():
            return f"[{', '.join(map(toml_value, value))}]"
        case Mapping():
            items = ", ".join(f"{toml_value(str(key))} = {toml_value(item)}" for key, item in value.items())
            return f"{{ {items} }}" if items else "{}"
    raise TypeError(f"TOML has no {type(value).__name__}")
