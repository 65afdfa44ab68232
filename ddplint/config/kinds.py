"""What a setting's value may be: how it is read from a file, its JSON schema and its name in words."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ddplint.patterns import Pattern, is_pattern

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 60, 60


class ConfigError(Exception):
    """A configuration that cannot be used; the message is one line."""


class Unfit(ValueError):
    """A value that is not of its kind. `expected` reads well after "must be"; `at` are the keys that lead to it."""

    def __init__(self, expected: str, found: str, at: tuple[str, ...] = ()) -> None:
        super().__init__(expected, found, at)
        self.expected, self.found, self.at = expected, found, at


class Kind(Protocol):
    """`label` names the kind in words."""

    @property
    def label(self) -> str: ...

    def read(self, value: Any, folder: Path) -> Any:
        """The setting's value; paths count from `folder`. Raises Unfit."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema of what a file may say."""

    def plain(self, value: Any) -> Any:
        """The opposite of `read`: data that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Flag:
    label: str = "true or false"

    def read(self, value: Any, folder: Path) -> bool:
        if not isinstance(value, bool):
            raise Unfit(self.label, shown(value))
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}

    def plain(self, value: bool) -> bool:
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of at least `minimum`; `hint` says what a special number means."""

    minimum: int = 0
    hint: str = ""

    @property
    def label(self) -> str:
        return f"a whole number{f', {self.hint}' if self.hint else ''}"

    def read(self, value: Any, folder: Path) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < self.minimum:
            raise Unfit(self.label, shown(value))
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum}

    def plain(self, value: int) -> int:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    values: tuple[str, ...]

    @property
    def label(self) -> str:
        return f"one of {', '.join(self.values)}"

    def read(self, value: Any, folder: Path) -> str:
        if not isinstance(value, str) or value not in self.values:
            raise Unfit(self.label, shown(value))
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.values)}

    def plain(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Text:
    label: str = "a string"

    def read(self, value: Any, folder: Path) -> str:
        if not isinstance(value, str) or not value.strip():
            raise Unfit(self.label, type_name(value))
        return value.strip()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"\S"}

    def plain(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern as in .gitignore; it counts from the folder of the file that holds it."""

    label: str = "a pattern as in .gitignore"

    def read(self, value: Any, folder: Path) -> Pattern:
        if not isinstance(value, str) or not value.strip() or not is_pattern(value):
            raise Unfit(self.label, shown(value))
        return Pattern(value.strip(), folder)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"\S"}

    def plain(self, value: Pattern) -> str:
        return value.text


@dataclass(frozen=True, slots=True)
class File:
    """A path relative to the file that holds it; `noun` says what must already be there, empty if nothing must.

    `within`: it is written to, so what a repository says must not lead out of it.
    """

    noun: str = ""
    label: str = "a path"
    within: bool = False

    def read(self, value: Any, folder: Path) -> Path:
        if not isinstance(value, str) or not value.strip() or "\0" in value:
            raise Unfit(self.label, shown(value))
        path = Path(os.path.normpath(folder / value))
        if self.within and not path.resolve().is_relative_to(folder.resolve()):
            raise Unfit(f"{self.label} in the folder of the configuration", shown(value))
        if self.noun and not path.is_file():
            raise ConfigError(f"{self.noun} not found: {path}")
        return path

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": r"\S"}

    def plain(self, value: Path | None) -> str | None:
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class List:
    """A list of `items`, named by `label`; its value is a tuple."""

    items: Kind
    label: str = "a list of strings"

    def read(self, value: Any, folder: Path) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise Unfit(self.label, type_name(value))
        items = []
        for item in value:
            try:
                items.append(self.items.read(item, folder))
            except Unfit:
                raise Unfit(self.label, f"a list with {shown(item)}") from None
        return tuple(items)

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.items.schema()}

    def plain(self, value: tuple[Any, ...]) -> list[Any]:
        return [self.items.plain(item) for item in value]


@dataclass(frozen=True, slots=True)
class Table:
    """Keys of one kind, values of another; its value is a dict."""

    keys: Kind
    values: Kind
    label: str

    def read(self, value: Any, folder: Path) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise Unfit(self.label, type_name(value))
        entries: dict[Any, Any] = {}
        for key, item in value.items():
            try:
                name = self.keys.read(key, folder)
            except Unfit:
                raise Unfit(self.label, f"a table with the key {shown(key)}") from None
            try:
                entries[name] = self.values.read(item, folder)
            except Unfit as unfit:
                raise Unfit(unfit.expected, unfit.found, (str(key), *unfit.at)) from None
        return entries

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": self.values.schema()}

    def plain(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        return {self.keys.plain(key): self.values.plain(item) for key, item in value.items()}


def type_name(value: Any) -> str:
    """A value's type in the words of a configuration file."""
    if isinstance(value, str):
        return "a string" if value.strip() else "an empty string"
    if value is None:
        return "nothing"
    names = {dict: "a table", list: "a list", int: "a number", float: "a number", bool: "true or false"}
    return names.get(type(value), type(value).__name__)


def shown(value: Any) -> str:
    """A value as it stands in an error; of a large one the beginning."""
    return f"`{_SHORT.repr(value)}`"
