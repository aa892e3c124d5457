"""What happens before anything runs: the one configuration file, an example of it, and the deployment key.

Each package has a `Settings` class; whoever starts a process names a section of the file for each:

    configuration = load_configuration(path, {"storage": StorageSettings, "eas": EasSettings})
    settings = configuration.of(StorageSettings)
"""

import ast
import base64
import binascii
import dataclasses
import inspect
import textwrap
import tomllib
from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from storage.private_file import create_private, read_private
from storage.seal import KEY_BYTES, new_key
from storage.toml_tables import SettingError, TableReader, toml_value, unknown_key

T = TypeVar("T")
_WIDTH = 110
_FILE_HEADER = """# Petit Bleu's configuration.  A line like "# name = value" shows a default: remove "# " to change it.
# Relative paths are taken from this file's folder.
"""


class Configuration:
    """The settings of all packages, each by its class."""

    def __init__(self, settings: Mapping[type, object]) -> None:
        self._settings = dict(settings)

    def of(self, cls: type[T]) -> T:
        """Return the settings of this class.  Raises KeyError for a class that was not asked for."""
        found = self._settings[cls]
        assert isinstance(found, cls)  # noqa: S101  # so that types hold
        return found


def load_configuration(path: Path, sections: Mapping[str, type], others: Collection[str] = ()) -> Configuration:
    """Read the configuration file: section name → `Settings` class.  A missing section has its defaults.

    *others* are sections that other programs read.

    Raises `SettingError` that names file, section and key, and for an unknown key the known one that is nearest.
    """
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(str(path), f"cannot be read: {error}") from error
    for name in tables:
        if name not in sections and name not in others:
            raise SettingError(f"{path}: {name}", unknown_key(name, sections))
    return Configuration(
        {cls: _reader(cls, path).read(tables.get(name, {}), f"{path}: {name}") for name, cls in sections.items()}
    )


def default_configuration(sections: Mapping[str, type]) -> Configuration:
    """Return what counts where there is no file.  Raises `SettingError` for a setting without a default."""
    return Configuration({cls: _reader(cls, Path()).read({}, name) for name, cls in sections.items()})


def example_configuration(sections: Mapping[str, type], given: Mapping[str, Mapping[str, object]] | None = None) -> str:
    """Write a configuration file that explains every setting and changes none, except what is *given* by section."""
    parts = [_FILE_HEADER]
    for name, cls in sections.items():
        values = (given or {}).get(name, {})
        parts.append(f"[{name}]\n{_comment(_first_line(cls))}")
        docs = field_docs(cls)
        for field in dataclasses.fields(cls):
            parts.append(_comment(docs.get(field.name, "")) + _setting(field, values))
    return "\n".join(parts)


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstring below each field of a class, whitespace joined."""
    docs = {}
    for node in ast.parse(textwrap.dedent(inspect.getsource(cls))).body:
        for statement, after in pairwise(node.body if isinstance(node, ast.ClassDef) else []):
            match statement, after:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    docs[name] = " ".join(text.split())
    return docs


def create_deployment_key(path: Path, key: bytes | None = None) -> bytes:
    """Write the key of a new deployment in base64, mode 0600: 32 random bytes, unless there is one already.

    Raises FileExistsError, OSError.
    """
    key = key or new_key()
    create_private(path, base64.b64encode(key) + b"\n")
    return key


def read_deployment_key(path: Path) -> bytes:
    """Return the deployment key.  Raises `SettingError`, `private_file.UnsafeFile` if others may read it."""
    try:
        key = base64.b64decode(read_private(path).strip(), validate=True)
    except FileNotFoundError as error:
        raise SettingError(str(path), "is not there; `petitbleu init` makes it, once for a deployment") from error
    except OSError as error:
        raise SettingError(str(path), f"cannot be read: {error.strerror}") from error
    except binascii.Error as error:
        raise SettingError(str(path), "is not base64") from error
    if len(key) != KEY_BYTES:
        raise SettingError(str(path), f"must hold {KEY_BYTES} bytes in base64, not {len(key)}")
    return key


def _reader(cls: type, path: Path) -> TableReader[Any]:
    return TableReader(cls, path.absolute().parent)


def _first_line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in textwrap.wrap(text, _WIDTH, break_on_hyphens=False))


def _setting(field: "dataclasses.Field[Any]", given: Mapping[str, object]) -> str:
    if field.name in given:
        return f"{field.name} = {toml_value(given[field.name])}\n"
    value = field.default
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    if value is dataclasses.MISSING:
        return f"# {field.name} must be set\n"
    if value is None:
        return f"# {field.name} is not set\n"
    return f"# {field.name} = {toml_value(_plain(value))}\n"


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dict(_set_fields(value))
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _set_fields(value: Any) -> Iterator[tuple[str, object]]:
    for field in dataclasses.fields(value):
        if (item := getattr(value, field.name)) is not None:
            yield field.name, _plain(item)
