"""Finds the rules: those of the package `ddplint.rules`, of installed packages, and of files that the user names.

A rule is a module's `RULE`. Nothing here looks into the program that is checked or into its configuration: whoever
writes those must not choose what code runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import ddplint.rules
from ddplint.config import ConfigError
from ddplint.documentation import RESERVED, DocumentationError
from ddplint.files import display_path
from ddplint.findings import SEVERITIES
from ddplint.problems import described
from ddplint.rules.base import Check, Rule

BUILT_IN = "ddplint"
# entry points of installed packages; each names a module, a package of modules, or a rule
GROUP = "ddplint.rules"
CODE = re.compile(r"[A-Z]{2,}[0-9]{3,}")
NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")

_NO_RULES = re.compile(r"test_\w*|\w*_test|tests|conftest|setup")


class RegistryError(RuntimeError):
    """Two rules claim one code or one name."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All rules in order of code. `origins` says by code where a rule comes from, `errors` what could not be used."""

    rules: tuple[Rule, ...]
    origins: Mapping[str, str] = field(default_factory=dict)
    errors: tuple[str, ...] = ()

    def origin(self, rule: Rule) -> str:
        """`ddplint`, an installed package with its version, or a file."""
        return self.origins.get(rule.code, BUILT_IN)


def discover(package: ModuleType = ddplint.rules) -> tuple[Rule, ...]:
    """The rules of a package, sorted by code. Raises RegistryError."""
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


def gather(builtin: Sequence[Rule], paths: Iterable[Path] = (), plugins: bool = True) -> Catalogue:
    """The built-in rules, with those of installed packages if `plugins`, and those of the files and folders `paths`.

    A rule that cannot be used is left out, with one line in `errors`. Raises ConfigError for a path without rules.
    """
    collected = _Collector(builtin)
    if plugins:
        for point, origin in _entry_points():
            collected.plugin(point, origin)
    for path in paths:
        collected.path(path)
    rules = sorted(collected.rules, key=lambda rule: rule.code)
    return Catalogue(tuple(rules), collected.origins, tuple(collected.errors))


def trouble_with(rule: Any) -> str:
    """Why something is no rule that could be used; empty if it is one. Codes are not compared with other rules'."""
    if not isinstance(rule, Rule):
        return f"`RULE` must be an instance of a subclass of ddplint.rules.base.Rule, not {_kind_of(rule)}"
    code, name, severity, words = (getattr(rule, key, None) for key in ("code", "name", "severity", "words"))
    if not isinstance(code, str) or not CODE.fullmatch(code):
        return f"`code` must be capital letters and at least three digits, as in ACME101, not {code!r}"
    if not isinstance(name, str) or not NAME.fullmatch(name):
        return f"`name` must be two or more lower-case words joined by hyphens, not {name!r}"
    if severity not in SEVERITIES:
        return f"`severity` must be one of {', '.join(SEVERITIES)}, not {severity!r}"
    if not isinstance(words, tuple) or not all(isinstance(group, frozenset) and _are_words(group) for group in words):
        return "`words` must be a tuple of frozensets of strings"
    check = getattr(rule, "check", None)
    if type(rule).start is Rule.start and not (isinstance(check, type) and issubclass(check, Check)):
        return "`check` must be a subclass of ddplint.rules.base.Check"
    try:
        _ = rule.documentation
    except DocumentationError as error:
        return f"its documentation, the module's docstring: {error}"
    return ""


class _Collector:
    """Rules as they are found, each code and each name once."""

    def __init__(self, builtin: Sequence[Rule]) -> None:
        self.rules = list(builtin)
        self.origins: dict[str, str] = {}
        self.errors: list[str] = []
        self._claimed = {claim: BUILT_IN for rule in builtin for claim in (rule.code, rule.name)}
        self._packages: dict[str, ModuleType] = {}
        self._modules: set[str] = set()

    def path(self, path: Path) -> None:
        """Add the rules of a file, or of the modules in a folder."""
        shown = display_path(path, os.getcwd())
        if path.is_dir():
            count = len(self._modules)
            package = self._package(path, shown)
            for name, file in _modules_below(path, package):
                self._module(name, file)
            if len(self._modules) == count:
                raise ConfigError(f"no Python modules in the folder of rules {shown}")
        elif path.suffix == ".py" and path.is_file():
            if not path.stem.isidentifier():
                raise ConfigError(f"{shown}: a rule's file must be named like a module, in letters, digits and _")
            package = self._package(path.parent, shown)
            self._module(f"{package}.{path.stem}", path, needed=True)
        else:
            what = "rules must be a folder or a .py file" if path.exists() else "no such file or folder of rules"
            raise ConfigError(f"{what}: {shown}")

    def plugin(self, point: metadata.EntryPoint, origin: str) -> None:
        """Add the rules that an entry point stands for: a rule, a module's, or those of a package's modules."""
        what = f"entry point {point.name} of {origin}"
        found = self._attempt(what, point.load)
        if not isinstance(found, ModuleType):
            if found is not None:
                self._add(what, found, origin)
            return
        if hasattr(found, "RULE"):
            self._add(what, found.RULE, origin)
        for folder in getattr(found, "__path__", ()):
            for name, _ in _modules_below(Path(folder), found.__name__):
                module = self._attempt(f"{name} of {origin}", partial(importlib.import_module, name))
                if hasattr(module, "RULE"):
                    self._add(f"{name} of {origin}", module.RULE, origin)

    def _attempt(self, what: str, load: Callable[[], Any]) -> Any:
        """What `load` gives; whatever it raises becomes an error of `what`, and None is given."""
        try:
            return load()
        except (Exception, SystemExit) as problem:  # noqa: BLE001 - the rule is named, the run goes on
            self.errors.append(f"{what} cannot be loaded: {described(problem)}")
            return None

    def _add(self, what: str, rule: Any, origin: str) -> None:
        try:
            trouble = trouble_with(rule)
        except Exception as problem:  # noqa: BLE001 - attributes may be properties that crash
            trouble = described(problem)
        if not trouble and rule.code.startswith(RESERVED):
            trouble = f"codes that begin with {RESERVED} are reserved, {rule.code} is one"
        for attribute in ("code", "name") if not trouble else ():
            value = getattr(rule, attribute)
            if value in self._claimed:
                trouble = trouble or f"{attribute} {value} is already that of a rule of {self._claimed[value]}"
        if trouble:
            self.errors.append(f"{what} cannot be used: {trouble}")
            return
        self.rules.append(rule)
        self.origins[rule.code] = self._claimed[rule.code] = self._claimed[rule.name] = origin

    def _package(self, folder: Path, shown: str) -> str:
        """The name of the package that stands for a folder: of its own, so that no other module is shadowed."""
        real = os.path.realpath(folder)
        name = f"ddplint_rules_{hashlib.blake2b(os.fsencode(real), digest_size=6).hexdigest()}"
        if name not in self._packages:
            # files may have changed since an earlier run of this process
            for loaded in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                del sys.modules[loaded]
            importlib.invalidate_caches()
            self._packages[name] = package = _package_module(name, real)
            sys.modules[name] = package
            if package.__spec__ is not None and package.__spec__.loader is not None:
                self._attempt(f"{shown}: __init__.py", partial(package.__spec__.loader.exec_module, package))
        return name

    def _module(self, name: str, file: Path, needed: bool = False) -> None:
        if name in self._modules:
            return
        self._modules.add(name)
        shown = display_path(file, os.getcwd())
        module = self._attempt(f"rule {shown}", partial(importlib.import_module, name))
        if hasattr(module, "RULE"):
            self._add(f"rule {shown}", module.RULE, shown)
        elif needed and module is not None:
            self.errors.append(f"rule {shown} cannot be used: it defines no `RULE`")


def _package_module(name: str, folder: str) -> ModuleType:
    init = os.path.join(folder, "__init__.py")
    spec = importlib.util.spec_from_file_location(name, init) if os.path.isfile(init) else None
    spec = spec or ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [folder]
    return importlib.util.module_from_spec(spec)


def _modules_below(folder: Path, package: str) -> Iterator[tuple[str, Path]]:
    """Names and files of the modules of a package, without its tests."""
    # finders are remembered by path: a relative one would be that of the folder where it was first used
    for info in sorted(pkgutil.iter_modules([os.path.abspath(folder)]), key=lambda info: info.name):
        if _NO_RULES.fullmatch(info.name):
            continue
        name = f"{package}.{info.name}"
        if info.ispkg:
            yield name, folder / info.name / "__init__.py"
            yield from _modules_below(folder / info.name, name)
        else:
            yield name, folder / f"{info.name}.py"


def _entry_points() -> Iterator[tuple[metadata.EntryPoint, str]]:
    """The entry points of the installed packages, with the package's name and version.

    The current folder is no place of installed packages, whatever `sys.path` says: a repository may hold metadata.
    """
    here = os.path.realpath(os.getcwd())
    seen: set[tuple[str, str]] = set()
    for distribution in metadata.distributions(path=[one for one in sys.path if os.path.realpath(one) != here]):
        text = ""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            text = distribution.read_text("entry_points.txt") or ""
        if GROUP not in text:
            continue
        for point in distribution.entry_points:
            if point.group == GROUP and (point.name, point.value) not in seen:
                seen.add((point.name, point.value))
                yield point, f"{distribution.metadata['Name']} {distribution.version}"


def _kind_of(value: Any) -> str:
    return f"the class {value.__name__}" if isinstance(value, type) else f"of type {type(value).__name__}"


def _are_words(group: frozenset[Any]) -> bool:
    return bool(group) and all(isinstance(word, str) and word for word in group)
