"""Finds the rules: every module of the package `ddplint.rules` that defines `RULE`."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import ddplint.rules
from ddplint.rules.base import Rule


class RegistryError(RuntimeError):
    """Two rules claim one code or one name."""


def discover(package: ModuleType = ddplint.rules) -> tuple[Rule, ...]:
    """All rules, sorted by code."""
    rules: list[Rule] = []
    for info in sorted(pkgutil.walk_packages(package.__path__, f"{package.__name__}."), key=lambda info: info.name):
        rule = getattr(importlib.import_module(info.name), "RULE", None)
        if isinstance(rule, Rule):
            rules.append(rule)
    for attribute in ("code", "name"):
        seen: dict[str, str] = {}
        for rule in rules:
            value, module = getattr(rule, attribute), type(rule).__module__
            if value in seen:
                raise RegistryError(f"{attribute} {value} is claimed by {seen[value]} and {module}")
            seen[value] = module
    return tuple(sorted(rules, key=lambda rule: rule.code))
