"""The function or module that an event of the flow stands in."""

from __future__ import annotations

from typing import Any

from ddplint.flow.events import Scope


def home_of(scope: Scope) -> tuple[str, int]:
    """The file of a scope and where its function stands there; 0 for the module's own statements."""
    return scope.module.path, scope.function.position if scope.function is not None else 0


def body_of(scope: Scope) -> list[list[Any]]:
    """The statements of the function or module of a scope."""
    return scope.function.body if scope.function is not None else scope.module.statements()
