"""Modules of the program and the resolution of imports among them. Nothing is imported: names are looked up among the
files.
"""

from __future__ import annotations

import json
import posixpath
import re
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ddplint.facts.build import FileFacts

Node = list[Any]

# packed bytes of facts held unpacked at a time; unpacked they take about fifty times as much
_BODIES_LIMIT = 4_000_000
_NOTHING: dict[str, Any] = {"body": [], "functions": [], "classes": []}


class FunctionFacts:
    """One function: `parameters` are rows `[name, kind, default, annotation]`. The body is unpacked when asked for."""

    __slots__ = (
        "_index",
        "decorators",
        "generator",
        "module",
        "name",
        "owner",
        "parameters",
        "position",
        "qualname",
        "references",
    )

    def __init__(self, record: Mapping[str, Any], module: Module, index: int) -> None:
        self.module = module
        self._index = index
        self.name: str = record["name"]
        self.qualname: str = record["qualname"]
        self.position: int = record["position"]
        self.references: str = record["references"]
        self.owner: int | None = record["owner"]
        self.parameters: list[Node] = record["parameters"]
        self.decorators: list[Node] = record["decorators"]
        self.generator: bool = record["generator"]

    @property
    def body(self) -> list[Node]:
        return self.module.function_body(self._index)

    def names(self) -> set[str]:
        """All names that the function mentions, attributes among them."""
        return _names(self.references)


def _names(references: str) -> set[str]:
    return {
        name
        for reference in references.split()
        if not reference.startswith("'") and "<" not in reference
        for name in re.split(r"[.=>]", reference)
        if name
    }


class ClassFacts:
    __slots__ = ("_index", "bases", "decorators", "keywords", "module", "name", "position", "qualname")

    def __init__(self, record: Mapping[str, Any], module: Module, index: int) -> None:
        self.module = module
        self._index = index
        self.name: str = record["name"]
        self.qualname: str = record["qualname"]
        self.position: int = record["position"]
        self.bases: list[Node] = record["bases"]
        self.keywords: list[Any] = record["keywords"]
        self.decorators: list[Node] = record["decorators"]

    @property
    def body(self) -> list[Node]:
        return self.module.class_body(self._index)


class Bodies:
    """Unpacked bodies of the files used last, so that memory does not grow with the program."""

    def __init__(self, limit: int = _BODIES_LIMIT) -> None:
        self.limit = limit
        self.size = 0
        self.kept: dict[str, tuple[int, dict[str, Any]]] = {}

    def of(self, path: str, blob: bytes) -> dict[str, Any]:
        found = self.kept.pop(path, None)
        if found is None:
            found = (len(blob), json.loads(zlib.decompress(blob)))
            self.size += found[0]
        self.kept[path] = found
        while self.size > self.limit and len(self.kept) > 1:
            oldest = next(iter(self.kept))
            self.size -= self.kept.pop(oldest)[0]
        return found[1]


class Module:
    """One file of the program. Its facts are unpacked when first asked for."""

    __slots__ = ("_blob", "_classes", "_functions", "bodies", "package", "path", "references")

    def __init__(self, path: str, blob: bytes, references: str = "") -> None:
        self.path = path
        self.references = references
        self.bodies = Bodies()
        self._blob = blob
        self._functions: list[FunctionFacts] | None = None
        self._classes: list[ClassFacts] | None = None
        self.package = posixpath.dirname(path)

    def _unpack(self) -> dict[str, Any]:
        return self.bodies.of(self.path, self._blob) if self._blob else _NOTHING

    def names(self) -> set[str]:
        """All names that the file mentions, attributes among them."""
        return _names(self.references)

    def statements(self) -> list[Node]:
        body: list[Node] = self._unpack()["body"]
        return body

    def function_body(self, index: int) -> list[Node]:
        body: list[Node] = self._unpack()["functions"][index]["body"]
        return body

    def class_body(self, index: int) -> list[Node]:
        body: list[Node] = self._unpack()["classes"][index]["body"]
        return body

    @property
    def functions(self) -> list[FunctionFacts]:
        if self._functions is None:
            self._functions = [FunctionFacts(one, self, index) for index, one in enumerate(self._unpack()["functions"])]
        return self._functions

    @property
    def classes(self) -> list[ClassFacts]:
        if self._classes is None:
            self._classes = [ClassFacts(one, self, index) for index, one in enumerate(self._unpack()["classes"])]
        return self._classes


class Package:
    """A folder that an import names and that has no `__init__.py`, or the folder of a package."""

    __slots__ = ("folder",)

    def __init__(self, folder: str) -> None:
        self.folder = folder


class Program:
    """All files read, and how an import in one of them finds another.

    `libraries` are names that an import finds among the files only where a package or the project's root has them: what
    a nested file such as `utils/torch.py` is called changes nothing for `import torch`.
    """

    def __init__(self, facts: Iterable[FileFacts], libraries: Collection[str] = ()) -> None:
        modules = [Module(one.path, one.blob, one.references) for one in facts]
        self.modules: list[Module] = sorted(modules, key=lambda module: module.path)
        self._files: dict[str, Module] = {}
        self._folders: set[str] = set()
        self._homes: dict[str, set[str]] = defaultdict(set)
        self._libraries = libraries
        bodies = Bodies()
        for module in self.modules:
            module.bodies = bodies
            self._files[module.path] = module
            folder = module.package
            name = posixpath.basename(module.path).rpartition(".")[0]
            self._homes[name].add(folder)
            while folder and folder not in self._folders:
                self._folders.add(folder)
                parent, name = posixpath.split(folder)
                if parent == folder:
                    break
                self._homes[name].add(parent)
                folder = parent

    def at(self, stem: str) -> Module | Package | None:
        """The module or package at a path without ending."""
        for path in (stem + ".py", stem + "/__init__.py"):
            if path in self._files:
                return self._files[path]
        return Package(stem) if stem in self._folders else None

    def member(self, package: Module | Package, name: str) -> Module | Package | None:
        """The submodule `name` of a package."""
        if isinstance(package, Package):
            return self.at(posixpath.join(package.folder, name))
        if posixpath.basename(package.path) != "__init__.py":
            return None
        return self.at(posixpath.join(package.package, name))

    def resolve(self, importer: Module, dotted: str, level: int = 0) -> Module | Package | None:
        """What `import dotted` (or `from .dotted import`) means in `importer`; None for a library."""
        parts = dotted.split(".") if dotted else []
        if level:
            base = importer.package
            for _ in range(level - 1):
                base = posixpath.dirname(base)
            return self.at(posixpath.join(base, *parts)) if parts else self._folder(base)
        for base in self._search(importer, parts[0]):
            found = self.at(posixpath.join(base, *parts))
            if found is not None and not (found is importer and posixpath.basename(importer.path) != "__init__.py"):
                return found
        return None

    def _folder(self, folder: str) -> Module | Package:
        return self._files.get(posixpath.join(folder, "__init__.py")) or Package(folder)

    def _may_hold_library(self, home: str, name: str) -> bool:
        """Whether `import name` can mean what a folder has under a library's name."""
        if posixpath.join(home, "__init__.py") in self._files:
            return False
        return home in ("", "src") or posixpath.join(home, name, "__init__.py") in self._files

    def _search(self, importer: Module, first: str) -> Iterable[str]:
        """Folders in which an absolute import may start: the package's root, its ancestors, the importer's own folder,
        then the only folder of the program that has such a name."""
        homes = self._homes.get(first, set())
        if first in self._libraries:
            homes = {home for home in homes if self._may_hold_library(home, first)}
        if not homes:
            return
        root = importer.package
        while posixpath.join(root, "__init__.py") in self._files and root:
            root = posixpath.dirname(root)
        own = importer.package
        folder = root
        while True:
            if folder in homes:
                yield folder
            if posixpath.join(folder, "src") in homes:
                yield posixpath.join(folder, "src")
            parent = posixpath.dirname(folder)
            if parent == folder or not folder:
                break
            folder = parent
        if own != root and own in homes:
            yield own
        if len(homes) == 1 and first not in self._libraries:
            yield from homes
