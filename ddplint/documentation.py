"""A rule's documentation: the sections of its module's docstring."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

SECTIONS = (
    "What it does",
    "Why it is a bug",
    "Example",
    "Instead",
    "Not reported",
    "Fix safety",
    "References",
)

# where the rules' pages are published
PAGES = "https://ddplint.github.io/ddplint/rules"
# what the codes of ddplint's own rules begin with, those of later versions too
RESERVED = "DDP"

_HEADING = re.compile(r"^## +(?P<title>.+?)\s*$", re.MULTILINE)
_CODE = re.compile(r"^```python\n(?P<code>.*?)^```\s*$", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```.*?^```\s*$", re.MULTILINE | re.DOTALL)


class DocumentationError(ValueError):
    """A docstring that lacks what every rule's documentation has."""


@dataclass(frozen=True, slots=True)
class RuleDocumentation:
    """`summary` is the docstring's first line, `sections` the text under each heading in order."""

    summary: str
    sections: dict[str, str]
    example: str
    instead: str


def parse_documentation(docstring: str | None) -> RuleDocumentation:
    """Parse a module docstring; raises DocumentationError naming what is missing or unknown."""
    text = inspect.cleandoc(docstring or "")
    summary = text.partition("\n")[0].strip()
    if not summary or summary.startswith("#"):
        raise DocumentationError("the first line is the summary; it is missing")
    fenced = [match.span() for match in _FENCE.finditer(text)]
    headings = [
        match for match in _HEADING.finditer(text) if not any(start <= match.start() < end for start, end in fenced)
    ]
    titles = [match["title"] for match in headings]
    if tuple(titles) != SECTIONS:
        missing = [title for title in SECTIONS if title not in titles]
        unknown = [title for title in titles if title not in SECTIONS]
        trouble = [f"no section {title!r}" for title in missing] + [f"unknown section {title!r}" for title in unknown]
        order = f"sections must come once each, in the order {', '.join(SECTIONS)}"
        raise DocumentationError("; ".join(trouble) or order)
    ends = [match.start() for match in headings[1:]] + [len(text)]
    sections = {match["title"]: text[match.end() : end].strip() for match, end in zip(headings, ends)}
    empty = [title for title, body in sections.items() if not body]
    if empty:
        raise DocumentationError(f"empty section {empty[0]!r}")
    return RuleDocumentation(summary, sections, _code(sections, "Example"), _code(sections, "Instead"))


def _code(sections: dict[str, str], title: str) -> str:
    match = _CODE.search(sections[title])
    if match is None:
        raise DocumentationError(f"section {title!r} has no ```python block")
    return match["code"]


def page_url(code: str, name: str) -> str | None:
    """Address of a rule's page; None for rules from elsewhere."""
    return f"{PAGES}/{name}/" if code.startswith(RESERVED) else None


def render(code: str, name: str, severity: str, documentation: RuleDocumentation) -> str:
    """The documentation as Markdown, as `ddplint explain` prints it."""
    parts = [f"# {code} {name} ({severity})", documentation.summary]
    for title, body in documentation.sections.items():
        parts += [f"## {title}", body]
    return "\n\n".join(parts) + "\n"
