"""JSON schemas (draft 2020-12) of configuration files, for editors."""

from __future__ import annotations

from typing import Any

from ddplint.config.kinds import Record
from ddplint.config.settings import EXTEND, EXTEND_EXAMPLE, FILE, KEYS

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def document(record: Record, title: str) -> dict[str, Any]:
    """The schema of a file whose top level is `record`."""
    return {"$schema": DRAFT, "title": title, **record.schema()}


def settings_schema() -> dict[str, Any]:
    """The schema of `.ddplint.yaml`, and of the table [tool.ddplint] in pyproject.toml."""
    schema = document(FILE, "Configuration of ddplint: .ddplint.yaml, or [tool.ddplint] in pyproject.toml")
    examples = {EXTEND: EXTEND_EXAMPLE, **{key.name: key.example for key in KEYS.values()}}
    for name, about in schema["properties"].items():
        key = KEYS.get(name)
        if key is not None and key.default is not None:
            about["default"] = key.kind.plain(key.default)
        about["examples"] = [examples[name]]
    return schema
