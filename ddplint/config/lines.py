"""YAML with the lines that its keys stand on. Nothing but plain data is made of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml


class BrokenYaml(ValueError):
    """Text that is no YAML, or says one key twice; `line` counts from 1, 0 if it is not known."""

    def __init__(self, problem: str, line: int = 0) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    data: Any
    node: yaml.Node | None = None

    def line(self, place: Sequence[str]) -> int:
        """The line of the key that these keys lead to, or of the last of them that is there."""
        node, line = self.node, 1 if self.node is None else self.node.start_mark.line + 1
        for name in place:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            found = next(((key, value) for key, value in pairs if key.value == name), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        return line


def parse_yaml(text: str) -> Document:
    """Read one document; raises BrokenYaml. The loader in C is not used: deep nesting crashes it."""
    try:
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return Document(None)
            _refuse_double_keys(node)
            return Document(loader.construct_document(node), node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = "; ".join(part for part in (error.context, error.problem) if part)
        raise BrokenYaml(f"broken YAML: {_one_line(said)}", mark.line + 1 if mark else 0) from None
    except (yaml.YAMLError, ValueError) as error:
        if isinstance(error, BrokenYaml):
            raise
        raise BrokenYaml(f"broken YAML: {_one_line(str(error))}") from None
    except RecursionError:
        raise BrokenYaml("broken YAML: nested too deeply") from None


def _refuse_double_keys(root: yaml.Node) -> None:
    for node in _mappings(root):
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise BrokenYaml(f"the key `{key.value}` stands here twice", key.start_mark.line + 1)
                seen.add(key.value)


def _mappings(root: yaml.Node) -> Iterator[yaml.MappingNode]:
    """All mappings of a document, each once although aliases may lead to it several times."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            yield node
            waiting.extend(part for pair in node.value for part in pair)
        elif isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)


def _one_line(text: str) -> str:
    return " ".join(text.split())
