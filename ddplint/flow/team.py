"""Reads a team's knowledge file: data only, checked against the vocabulary, troubles with their lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ddplint.config.kinds import Misfit, Unfit, nearest
from ddplint.config.lines import BrokenYaml, Document, parse_yaml
from ddplint.flow.knowledge import KnowledgeError
from ddplint.flow.vocabulary import FILE, complete

_EFFECTS = ("calls", "objects", "methods")


def read_team_file(path: Path, known: Collection[str]) -> dict[str, dict[str, Any]]:
    """The sections of a file, each effect with what its words bring along.

    `known` are the names that aliases may lead to beside those of the file itself. Raises KnowledgeError.
    """
    document = _parse(path)
    try:
        sections = FILE.read(document.data, path.parent)
        _check_aliases(sections, known)
    except Unfit as trouble:
        raise KnowledgeError(f"{path}:{document.line(trouble.place)}: {trouble}") from None
    for section in _EFFECTS:
        rows = sections.get(section, {})
        sections[section] = {name: complete(row) for names, row in rows.items() for name in _names(names)}
    return sections


def _parse(path: Path) -> Document:
    try:
        return parse_yaml(path.read_text(encoding="utf-8-sig"))
    except BrokenYaml as trouble:
        raise KnowledgeError(f"{path}{f':{trouble.line}' if trouble.line else ''}: {trouble}") from None
    except UnicodeDecodeError:
        raise KnowledgeError(f"{path}: not UTF-8") from None
    except OSError as trouble:
        raise KnowledgeError(f"{path}: {trouble.strerror}") from None


def _check_aliases(sections: Mapping[str, Mapping[str, Any]], known: Collection[str]) -> None:
    """An alias leads to something that is known, or it would do nothing."""
    own = {name for section in _EFFECTS for names in sections.get(section, ()) for name in _names(names)}
    for name, target in sections.get("aliases", {}).items():
        if target == name or not (target in own or target in known):
            hint = nearest(target, {*known, *own})
            raise Misfit(f"must be a name that knowledge has, not `{target}`{hint}", ("aliases", name))


def _names(text: str) -> list[str]:
    return text.replace(",", " ").split()
