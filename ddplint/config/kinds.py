"""What a value in a file may be: how it is read and checked, its JSON schema and its name in words."""

from __future__ import annotations

import difflib
import os
import re
import reprlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ddplint.patterns import Pattern, is_pattern
from ddplint.problems import UserError

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxdict, _SHORT.maxstring, _SHORT.maxother = 1, 3, 3, 60, 60

NOT_BLANK = r"\S"


class ConfigError(UserError):
    """A configuration that cannot be used; the message is one line."""


class Unfit(ValueError):
    """A value that cannot be used. `at` are the keys that lead to it, `key` is one of its own that is at fault."""

    def __init__(self, problem: str, at: tuple[str, ...] = (), key: str | None = None) -> None:
        super().__init__(problem, at, key)
        self.problem, self.at, self.key = problem, at, key

    @property
    def place(self) -> tuple[str, ...]:
        """The keys that lead to the line at fault."""
        return self.at if self.key is None else (*self.at, self.key)

    def below(self, key: str) -> Unfit:
        """The same trouble, seen from the table that has the value under `key`."""
        return type(self)(self.problem, (key, *self.at), self.key)

    def __str__(self) -> str:
        return f"`{'.'.join(self.at)}`: {self.problem}" if self.at else self.problem


class Misfit(Unfit):
    """A value of another kind; `problem` begins with "must be"."""

    def __str__(self) -> str:
        return f"`{'.'.join(self.at)}` {self.problem}" if self.at else self.problem


class Kind(Protocol):
    """`label` names the kind in words that read well after "must be"."""

    @property
    def label(self) -> str: ...

    def read(self, value: Any, folder: Path) -> Any:
        """What a file's value means; paths count from `folder`. Raises Unfit."""

    def schema(self) -> dict[str, Any]:
        """The JSON schema of what a file may say."""

    def plain(self, value: Any) -> Any:
        """The opposite of `read`: data that JSON can hold."""


@dataclass(frozen=True, slots=True)
class Flag:
    label: str = "true or false"

    def read(self, value: Any, folder: Path) -> bool:
        if not isinstance(value, bool):
            raise misfit(self, shown(value))
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
            raise misfit(self, shown(value))
        return value

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum}

    def plain(self, value: int) -> int:
        return value


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words; `noun` stands for them where they are too many to list."""

    values: Collection[str]
    noun: str = ""

    @property
    def label(self) -> str:
        return self.noun or f"one of {', '.join(self.values)}"

    def read(self, value: Any, folder: Path) -> str:
        if not isinstance(value, str) or value not in self.values:
            hint = nearest(value, self.values) if isinstance(value, str) and self.noun else ""
            raise misfit(self, shown(value) + hint)
        return value

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.values)}

    def plain(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Text:
    """A string that is not blank, and of the form of a regular expression."""

    label: str = "a string"
    form: str = NOT_BLANK

    def read(self, value: Any, folder: Path) -> str:
        if not isinstance(value, str) or not value.strip():
            raise misfit(self, type_name(value))
        if not re.search(self.form, value):
            raise misfit(self, shown(value))
        return value.strip()

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": self.form}

    def plain(self, value: str) -> str:
        return value


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern as in .gitignore; it counts from the folder of the file that holds it."""

    label: str = "a pattern as in .gitignore"

    def read(self, value: Any, folder: Path) -> Pattern:
        if not isinstance(value, str) or not value.strip() or not is_pattern(value):
            raise misfit(self, shown(value))
        return Pattern(value.strip(), folder)

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": NOT_BLANK}

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
            raise misfit(self, shown(value))
        path = Path(os.path.normpath(folder / value))
        if self.within and not path.resolve().is_relative_to(folder.resolve()):
            raise Misfit(f"must be {self.label} in the folder of the configuration, not {shown(value)}")
        if self.noun and not path.is_file():
            raise Unfit(f"{self.noun} not found: {path}")
        return path

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": NOT_BLANK}

    def plain(self, value: Path | None) -> str | None:
        return None if value is None else str(value)


@dataclass(frozen=True, slots=True)
class List:
    """A list; its value is a tuple. With `single`, one item may stand without brackets."""

    items: Kind
    label: str = "a list of strings"
    single: bool = False

    def read(self, value: Any, folder: Path) -> tuple[Any, ...]:
        if self.single and not isinstance(value, (list, dict)):
            return (self.items.read(value, folder),)
        if not isinstance(value, list):
            raise misfit(self, type_name(value))
        items = []
        for item in value:
            try:
                items.append(self.items.read(item, folder))
            except Misfit as trouble:
                raise (trouble if self.single else misfit(self, f"a list with {shown(item)}")) from None
        return tuple(items)

    def schema(self) -> dict[str, Any]:
        items = self.items.schema()
        listed = {"type": "array", "items": items}
        return {"anyOf": [items, listed]} if self.single else listed

    def plain(self, value: tuple[Any, ...]) -> list[Any]:
        return [self.items.plain(item) for item in value]


@dataclass(frozen=True, slots=True)
class Table:
    """Keys of one kind, values of another; its value is a dict. `keys_schema` describes the keys."""

    keys: Kind
    values: Kind
    label: str = "a table"

    def read(self, value: Any, folder: Path) -> dict[Any, Any]:
        if not isinstance(value, dict):
            raise misfit(self, type_name(value))
        entries: dict[Any, Any] = {}
        for key, item in value.items():
            try:
                name = self.keys.read(key, folder)
            except Misfit:
                raise Misfit(f"must be {self.label}, not one with the key {shown(key)}", (), str(key)) from None
            try:
                entries[name] = self.values.read(item, folder)
            except Unfit as trouble:
                raise trouble.below(str(key)) from None
        return entries

    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "propertyNames": self.keys.schema(),
            "additionalProperties": self.values.schema(),
        }

    def plain(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        return {self.keys.plain(key): self.values.plain(item) for key, item in value.items()}


@dataclass(frozen=True, slots=True)
class Record:
    """A table whose keys are known; its value is a dict with those that are given. `noun` names a key.

    `help` says what the keys are for; `empty` allows nothing instead of the table.
    """

    fields: Mapping[str, Kind]
    noun: str = "key"
    label: str = "keys and values"
    help: Mapping[str, str] = field(default_factory=dict)
    empty: bool = False

    def read(self, value: Any, folder: Path) -> dict[str, Any]:
        if value is None and self.empty:
            return {}
        if not isinstance(value, dict):
            raise misfit(self, type_name(value))
        entries: dict[str, Any] = {}
        for key, item in value.items():
            if key not in self.fields:
                known = nearest(str(key), self.fields) or f"; known: {', '.join(self.fields)}"
                raise Unfit(f"unknown {self.noun} {shown(key, quoted=False)}{known}", (), str(key))
            try:
                entries[key] = self.fields[key].read(item, folder)
            except Unfit as trouble:
                raise trouble.below(key) from None
        return entries

    def schema(self) -> dict[str, Any]:
        properties = {
            name: {"description": self.help[name], **kind.schema()} if name in self.help else kind.schema()
            for name, kind in self.fields.items()
        }
        types = ["object", "null"] if self.empty else "object"
        return {"type": types, "properties": properties, "additionalProperties": False}

    def plain(self, value: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.fields[name].plain(item) for name, item in value.items()}


def misfit(kind: Kind, found: str) -> Misfit:
    return Misfit(f"must be {kind.label}, not {found}")


def nearest(name: str, known: Collection[str]) -> str:
    """What to say of a name that is not known: the known one that it comes nearest to, or nothing."""
    name = name[:60]
    spellings = (name, name.replace("_", "-"), name.replace("-", "_"))
    close = next(filter(None, (difflib.get_close_matches(one, known, 1) for one in spellings)), None)
    return f"; did you mean `{close[0]}`?" if close else ""


def type_name(value: Any) -> str:
    """A value's type in the words of a configuration file."""
    if isinstance(value, str):
        return "a string" if value.strip() else "an empty string"
    if value is None:
        return "nothing"
    names = {dict: "a table", list: "a list", int: "a number", float: "a number", bool: "true or false"}
    return names.get(type(value), type(value).__name__)


def shown(value: Any, quoted: bool = True) -> str:
    """A value as it stands in an error; of a large one the beginning."""
    text = _SHORT.repr(value)
    return f"`{text if quoted or not isinstance(value, str) else text[1:-1]}`"
