"""The settings in force and where they come from, as `ddplint config` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ddplint.config import Settings
from ddplint.config.origins import origin, rows
from ddplint.config.schema import document, settings_schema
from ddplint.config.settings import KEYS
from ddplint.files import display_path
from ddplint.flow import vocabulary
from ddplint.patterns import PathPatterns
from ddplint.report.style import Style, printable
from ddplint.rules.base import Rule
from ddplint.selection import Policy, chosen_rules


@dataclass(frozen=True, slots=True)
class FileView:
    """What holds for one file: the rules that run on it with their severities, and which patterns leave what out."""

    path: str
    rules: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...]
    patterns: tuple[tuple[str, str], ...]
    excluded_by: tuple[tuple[str, str], ...]


def view(settings: Settings, rules: Sequence[Rule], path: Path, cwd: str) -> FileView:
    """What the settings say of the file at the absolute `path`. Raises ConfigError for an unknown rule."""
    policy = Policy(rules, settings, cwd)
    chosen, ignored = chosen_rules(rules, settings), policy.ignored(str(path))
    ignores, exclude = KEYS["per-file-ignores"], KEYS["exclude"]
    return FileView(
        path=display_path(path, cwd),
        rules=tuple(
            (rule.code, policy.severity(rule.code) or rule.severity) for rule in chosen if rule.code not in ignored
        ),
        left_out=tuple(rule.code for rule in chosen if rule.code in ignored),
        patterns=tuple(
            (pattern.text, origin(settings, ignores, pattern))
            for pattern in settings.per_file_ignores
            if PathPatterns([pattern]).match(str(path))
        ),
        excluded_by=tuple(
            (
                pattern.text,
                origin(settings, exclude if pattern in settings.exclude else KEYS["extend-exclude"], pattern),
            )
            for pattern in settings.excluded
            if PathPatterns([pattern]).match(str(path))
        ),
    )


def render_settings(
    settings: Settings, views: Sequence[FileView], cwd: str, style: Style, baseline: Path | None = None
) -> str:
    """Lines of `key = value  # origin`, in TOML; then a paragraph per file. `baseline` is the one in use."""
    lines = [
        (f"{_dotted(row.key)} = {_value(row.value)}", ", ".join(display_path(one, cwd) for one in row.origins))
        for row in rows(settings, baseline)
    ]
    width = max(min(len(text), 48) for text, _ in lines)
    shown = [f"{printable(text):<{width}}  {style.dim(f'# {printable(where)}')}" for text, where in lines]
    return "\n".join([*shown, *(line for one in views for line in _file(one, cwd, style))]) + "\n"


def render_settings_json(settings: Settings, views: Sequence[FileView], baseline: Path | None = None) -> str:
    """`{"settings": [{key, value, origins}], "files": [...]}`."""
    data = {"settings": [asdict(row) for row in rows(settings, baseline)], "files": [_plain(one) for one in views]}
    return json.dumps(data, indent=2) + "\n"


def schema_text(which: str) -> str:
    """The JSON schema of configuration files (`settings`) or of knowledge files (`knowledge`)."""
    schema = settings_schema() if which == "settings" else document(vocabulary.FILE, vocabulary.TITLE)
    return json.dumps(schema, indent=2) + "\n"


def _plain(one: FileView) -> dict[str, Any]:
    def sourced(pairs: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
        return [{"pattern": pattern, "origin": where} for pattern, where in pairs]

    return {
        "path": one.path,
        "rules": [{"code": code, "severity": severity} for code, severity in one.rules],
        "left_out": list(one.left_out),
        "per_file_ignores": sourced(one.patterns),
        "excluded_by": sourced(one.excluded_by),
    }


def _file(one: FileView, cwd: str, style: Style) -> Iterator[str]:
    yield ""
    yield style.bold(printable(one.path))
    yield f"  rules: {', '.join(f'{code} ({severity})' for code, severity in one.rules) or 'none'}"
    if one.patterns:
        listed = ", ".join(f'"{pattern}" ({display_path(where, cwd)})' for pattern, where in one.patterns)
        yield printable(f"  left out: {', '.join(one.left_out) or 'nothing'}, by {listed}")
    if one.excluded_by:
        listed = ", ".join(f'"{pattern}" ({display_path(where, cwd)})' for pattern, where in one.excluded_by)
        yield printable(f"  excluded by {listed}: read only where it is named itself")


def _dotted(key: tuple[str, ...]) -> str:
    return ".".join(part if part.replace("-", "").isalnum() and part.isascii() else json.dumps(part) for part in key)


def _value(value: Any) -> str:
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
