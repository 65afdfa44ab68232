"""Whole results kept between runs, as JSON: reading an entry never runs code, and a damaged one counts as absent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import platformdirs

import ddplint
import ddplint.rules
from ddplint.findings import EVENT_KINDS, SEVERITIES, Action, Edit, Finding, Fix, RankEvent, Span, Step
from ddplint.rules.base import Rule

SIZE_LIMIT = 64_000_000
COUNT_LIMIT = 400

_FORM = 1


def cache_folder() -> Path:
    """Where caches live: $DDPLINT_CACHE_DIR, else the user's cache folder."""
    named = os.environ.get("DDPLINT_CACHE_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("ddplint"))


def program_fingerprint() -> str:
    """Names this very build of ddplint: version, Python, and the state of its files."""
    parts = [ddplint.__version__, repr(sys.version_info[:3])]
    return combine([*parts, *_state_of({*ddplint.__path__, *ddplint.rules.__path__})])


def rules_state(rules: Sequence[Rule]) -> list[str]:
    """The state of the files that rules from elsewhere consist of: those of the top packages that they lie in."""
    tops = {type(rule).__module__.partition(".")[0] for rule in rules} - {ddplint.__name__}
    places: set[str] = set()
    for module in (sys.modules.get(name) for name in tops):
        file = getattr(module, "__file__", None)
        places.update(getattr(module, "__path__", [file] if file else []))
    return _state_of(places)


def _state_of(places: Iterable[str]) -> list[str]:
    """Path, size and time of change of files, and of the files in folders."""
    parts: list[str] = []
    for place in sorted(places):
        if os.path.isfile(place):
            parts.append(_stamp(place))
        for folder, subfolders, names in os.walk(place):
            subfolders[:] = sorted(name for name in subfolders if name != "__pycache__" and not name.startswith("."))
            parts += [_stamp(os.path.join(folder, name)) for name in sorted(names)]
    return parts


def _stamp(path: str) -> str:
    status = os.lstat(path)
    return f"{path}:{status.st_size}:{status.st_mtime_ns}"


def combine(parts: Iterable[str]) -> str:
    """One hash of several strings; where one ends and the next begins counts."""
    digest = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part.encode("utf-8", "surrogateescape")
        digest.update(len(data).to_bytes(8, "little"))
        digest.update(data)
    return digest.hexdigest()


def finding_to_data(finding: Finding) -> dict[str, Any]:
    """Plain data that JSON can hold."""
    return asdict(finding)


def finding_from_data(data: Mapping[str, Any]) -> Finding:
    """The inverse of `finding_to_data`; KeyError, TypeError or ValueError if the data have another form."""
    fields = ("code", "name", "severity", "message", "no_fix_reason")
    code, name, severity, message, reason = (_text(data[field]) for field in fields)
    if severity not in SEVERITIES:
        raise ValueError(f"no severity: {severity}")
    fix = data["fix"]
    return Finding(
        code=code,
        name=name,
        severity=severity,
        message=message,
        span=_span(data["span"]),
        trace=tuple(Step(_span(step["span"]), _text(step["message"])) for step in data["trace"]),
        fix=None if fix is None else _fix(fix),
        no_fix_reason=reason,
        also=tuple(_span(span) for span in data["also"]),
        ranks=tuple(_event(event) for event in data["ranks"]),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("expected a string")
    return value


def _span(data: Mapping[str, Any]) -> Span:
    numbers = [data[field] for field in ("row", "column", "end_row", "end_column")]
    if not all(type(number) is int for number in numbers):
        raise TypeError("expected whole numbers")
    return Span(_text(data["path"]), *numbers)


def _event(data: Mapping[str, Any]) -> RankEvent:
    moment, kind, span = data["moment"], data["kind"], data["span"]
    if type(moment) is not int or kind not in EVENT_KINDS:
        raise ValueError("no event of a rank")
    lane, label, share = (_text(data[field]) for field in ("lane", "label", "share"))
    return RankEvent(moment, lane, kind, label, None if span is None else _span(span), share)


def _fix(data: Mapping[str, Any]) -> Fix:
    applicability = data["applicability"]
    if applicability not in ("safe", "unsafe"):
        raise ValueError(f"no applicability: {applicability}")
    return Fix(
        applicability=applicability,
        message=_text(data["message"]),
        actions=tuple(
            Action(
                _text(action["kind"]),
                _span(action["span"]),
                tuple((_text(name), _text(value)) for name, value in action["arguments"]),
            )
            for action in data["actions"]
        ),
        reason=_text(data["reason"]),
        edits=tuple(Edit(_span(edit["span"]), _text(edit["content"])) for edit in data["edits"]),
    )


class ResultCache:
    """Entries by key in one folder; the least recently used go when there are too many."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / f"results-{_FORM}"

    def load(self, key: str) -> Any:
        """The entry's data, or None."""
        path = self._folder / f"{key}.json"
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            os.utime(path)
        except (OSError, ValueError, RecursionError):
            return None
        return data

    def store(self, key: str, data: Any) -> None:
        """Keep an entry; a folder that cannot be written keeps none."""
        text = json.dumps(data, separators=(",", ":"))
        temporary = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".tmp")
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, self._folder / f"{key}.json")
            self._prune()
        except OSError:
            if temporary is not None:
                with contextlib.suppress(OSError):
                    os.unlink(temporary)

    def _prune(self) -> None:
        entries = []
        for path in self._folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        entries.sort(reverse=True)
        total = 0
        for count, (_, size, path) in enumerate(entries, 1):
            total += size
            if count > 1 and (count > COUNT_LIMIT or total > SIZE_LIMIT):
                path.unlink(missing_ok=True)
