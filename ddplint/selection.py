"""Which rules run, where and at which severity: by code, by prefix of a code, by name."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ddplint.config import ConfigError, Settings
from ddplint.documentation import RESERVED
from ddplint.findings import Finding, Severity
from ddplint.patterns import PathPatterns
from ddplint.rules.base import Rule

# a name or a whole code is more specific than any prefix
_EXACT = 100
# a code that is none of ddplint's own
_OTHERS = re.compile(rf"(?!{RESERVED})[A-Z]+[0-9]{{3,}}")


def select_rules(
    rules: Sequence[Rule], select: Sequence[str] = (), ignore: Sequence[str] = (), extend_select: Sequence[str] = ()
) -> tuple[Rule, ...]:
    """The selected rules in order of code; no `select` means all. The more specific selector wins, `ignore` a draw."""
    _check(rules, (*select, *ignore, *extend_select))
    chosen = (*select, *extend_select) if select else ("ALL", *extend_select)
    return tuple(rule for rule in rules if _specificity(rule, chosen) > _specificity(rule, ignore))


def chosen_rules(rules: Sequence[Rule], settings: Settings) -> tuple[Rule, ...]:
    """The rules that the settings select, in order of code. Raises ConfigError: which key names an unknown one."""
    for layer in settings.layers:
        for name, selector in _selectors(layer.values):
            if not _is_known(rules, selector):
                where = f"{layer.source}: `{name}`: " if layer.source else ""
                raise ConfigError(where + unknown_rule(rules, selector))
    return select_rules(rules, settings.select, settings.ignored, settings.extend_select)


def find_rule(rules: Sequence[Rule], selector: str) -> Rule:
    """The one rule with this code or name."""
    for rule in rules:
        if selector.upper() == rule.code or selector.lower() == rule.name:
            return rule
    raise ConfigError(unknown_rule(rules, selector))


class Policy:
    """What the settings say of findings by rule and file: at which severity they count, and which are left out."""

    def __init__(self, rules: Sequence[Rule], settings: Settings, cwd: str | None = None) -> None:
        """`rules` are all that exist, `cwd` the folder that the paths of findings count from. Raises ConfigError."""
        _check(rules, settings.severity)
        for selectors in settings.per_file_ignores.values():
            _check(rules, selectors)
        self._rules = {rule.code: rule for rule in rules}
        self._cwd = cwd or os.getcwd()
        self._severities: Mapping[str, Severity] = settings.severity
        self._ignores = [
            (PathPatterns([pattern]), selectors) for pattern, selectors in settings.per_file_ignores.items()
        ]
        self._ignored: dict[str, frozenset[str]] = {}

    def grade(self, findings: Iterable[Finding]) -> list[Finding]:
        """The findings at the severity that the settings give them."""
        return [replace(finding, severity=self.severity(finding.code) or finding.severity) for finding in findings]

    def counts(self, finding: Finding) -> bool:
        """Whether a finding is not left out in its file."""
        return finding.code not in self.ignored(finding.span.path)

    def severity(self, code: str) -> Severity | None:
        """The severity that the settings give a rule, None if they leave it to the rule."""
        rule = self._rules[code]
        best = max(self._severities, key=lambda selector: _match(rule, selector), default="")
        return self._severities[best] if best and _match(rule, best) >= 0 else None

    def ignored(self, path: str) -> frozenset[str]:
        """Codes of the rules whose findings in a file are left out."""
        known = self._ignored.get(path)
        if known is None:
            place = os.path.join(self._cwd, path)
            selectors = [one for patterns, listed in self._ignores if patterns.match(place) for one in listed]
            known = frozenset(code for code, rule in self._rules.items() if _specificity(rule, selectors) >= 0)
            self._ignored[path] = known
        return known


def _specificity(rule: Rule, selectors: Iterable[str]) -> int:
    return max((_match(rule, selector) for selector in selectors), default=-1)


def _match(rule: Rule, selector: str) -> int:
    if selector.upper() == "ALL":
        return 0
    if selector.upper() == rule.code or selector.lower() == rule.name:
        return _EXACT
    return len(selector) if rule.code.startswith(selector.upper()) else -1


def _selectors(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The selectors that a configuration holds, with the key that they stand under."""
    for name in ("select", "ignore", "extend-select", "extend-ignore", "severity"):
        for selector in values.get(name, ()):
            yield name, selector
    for pattern, listed in values.get("per-file-ignores", {}).items():
        for selector in listed:
            yield f"per-file-ignores.{pattern.text}", selector


def _check(rules: Sequence[Rule], selectors: Iterable[str]) -> None:
    for selector in selectors:
        if not _is_known(rules, selector):
            raise ConfigError(unknown_rule(rules, selector))


def _is_known(rules: Sequence[Rule], selector: str) -> bool:
    return bool(selector) and (selector.upper() == "ALL" or any(_match(rule, selector) >= 0 for rule in rules))


def unknown_rule(rules: Sequence[Rule], selector: str) -> str:
    """That there is no such rule, with the nearest that there is."""
    known = [value for rule in rules for value in (rule.code, rule.name)]
    near = (_nearest(spelling, known) for spelling in (selector.upper(), selector.lower()))
    close = next(filter(None, near), "")
    others = "; a rule of your own needs --rule-path" if _OTHERS.fullmatch(selector) else "; `ddplint rules` lists them"
    hint = f"; did you mean {close}?" if close else others
    return f"unknown rule `{selector}`{hint}"


def _nearest(spelling: str, known: Sequence[str]) -> str:
    """The closest of the known words, before all one with the same letters; empty if none is close."""
    close = difflib.get_close_matches(spelling, known)
    return next((one for one in close if sorted(one) == sorted(spelling)), close[0] if close else "")
