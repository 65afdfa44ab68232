"""Which rules run: by code, by prefix of a code, by name."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ddplint.config import ConfigError
from ddplint.rules.base import Rule

# a name or a whole code is more specific than any prefix
_EXACT = 100


def select_rules(
    rules: Sequence[Rule], select: Sequence[str] = (), ignore: Sequence[str] = (), extend_select: Sequence[str] = ()
) -> tuple[Rule, ...]:
    """The selected rules in order of code; no `select` means all. The more specific selector wins, `ignore` a draw."""
    for selector in (*select, *ignore, *extend_select):
        _check(rules, selector)
    chosen = (*select, *extend_select) if select else ("ALL", *extend_select)
    return tuple(rule for rule in rules if _specificity(rule, chosen) > _specificity(rule, ignore))


def find_rule(rules: Sequence[Rule], selector: str) -> Rule:
    """The one rule with this code or name."""
    for rule in rules:
        if selector.upper() == rule.code or selector.lower() == rule.name:
            return rule
    raise ConfigError(_unknown(rules, selector))


def _specificity(rule: Rule, selectors: Sequence[str]) -> int:
    return max((_match(rule, selector) for selector in selectors), default=-1)


def _match(rule: Rule, selector: str) -> int:
    if selector.upper() == "ALL":
        return 0
    if selector.upper() == rule.code or selector.lower() == rule.name:
        return _EXACT
    return len(selector) if rule.code.startswith(selector.upper()) else -1


def _check(rules: Sequence[Rule], selector: str) -> None:
    if not selector or (selector.upper() != "ALL" and all(_match(rule, selector) < 0 for rule in rules)):
        raise ConfigError(_unknown(rules, selector))


def _unknown(rules: Sequence[Rule], selector: str) -> str:
    known = [value for rule in rules for value in (rule.code, rule.name)]
    near = (difflib.get_close_matches(spelling, known, 1) for spelling in (selector.upper(), selector.lower()))
    close = next(filter(None, near), None)
    hint = f"; did you mean {close[0]}?" if close else "; `ddplint rules` lists them"
    return f"unknown rule `{selector}`{hint}"
