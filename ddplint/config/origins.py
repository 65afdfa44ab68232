"""Where the values of settings come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ddplint.config.kinds import Table
from ddplint.config.settings import KEYS, Key, Layer, Settings

DEFAULT, COMMAND_LINE, FOUND = "default", "command line", "found"


@dataclass(frozen=True, slots=True)
class Row:
    """One setting in force, or one entry of a table: the keys that lead to it, its value as plain data, its origins.

    An origin is `default`, `command line`, `file:key`, or `found` for a file that no setting names.
    """

    key: tuple[str, ...]
    value: Any
    origins: tuple[str, ...]


def rows(settings: Settings, baseline: Path | None = None) -> Iterator[Row]:
    """Every setting in the order of the table of keys; a table with entries gives a row for each.

    `baseline` is the file in use, whether the settings name it or not.
    """
    for key in KEYS.values():
        value = getattr(settings, key.field)
        layers = [layer for layer in settings.layers if key.name in layer.values]
        if isinstance(key.kind, Table) and value:
            for name, item in value.items():
                saying = [layer for layer in layers if name in layer.values[key.name]]
                place = (key.name, key.kind.keys.plain(name))
                yield Row(place, key.kind.values.plain(item), _origins(saying[-1:], place))
        elif key.name == "baseline" and value is None and baseline is not None:
            yield Row((key.name,), str(baseline), (FOUND,))
        else:
            adds = key.name.startswith("extend-")
            yield Row((key.name,), key.kind.plain(value), _origins(layers if adds else layers[-1:], (key.name,)))


def origin(settings: Settings, key: Key, entry: Any) -> str:
    """Where an entry of a table or list comes from."""
    layers = [layer for layer in settings.layers if entry in layer.values.get(key.name, ())]
    return _origins(layers[-1:], (key.name,))[0]


def _origins(layers: list[Layer], key: tuple[str, ...]) -> tuple[str, ...]:
    found = [f"{layer.source}:{'.'.join(key)}" if layer.source else COMMAND_LINE for layer in layers]
    return tuple(found) or (DEFAULT,)
