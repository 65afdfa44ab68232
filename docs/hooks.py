"""What mkdocs builds beside the pages in this folder: a page per rule, from the rules' own documentation."""

from __future__ import annotations

import ast
import importlib.util
import posixpath
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ddplint.flow import vocabulary
from ddplint.ignores import EXPLANATIONS
from ddplint.registry import discover
from ddplint.rules.base import Rule
from ddplint.testing import fixtures

ROOT = Path(__file__).parent.parent
LINK = re.compile(r"\]\((?P<path>\.\.?/[^)#\s]*)(?P<rest>#[^)]*)?\)")
SEVERITIES, LEVELS = ("error", "warning", "note"), ("safe", "unsafe", "none")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the rules' pages into the navigation."""
    (listed,) = (entry["Rules"] for entry in config.nav or () if "Rules" in entry)
    listed += [{f"{code} {name}": f"rules/{name}.md"} for code, name, _ in pages()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the rules' pages."""
    files.append(File.generated(config, "rules/index.md", content=overview()))
    for _, name, text in pages():
        files.append(File.generated(config, f"rules/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links to what is no part of the site lead to the repository."""
    here = posixpath.dirname(f"docs/{page.file.src_uri}")

    def lead(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, match["path"]))
        if path.startswith("docs/"):
            return match[0]
        if not (ROOT / path).exists():
            raise PluginError(f"{page.file.src_uri}: no such file in the repository: {path}")
        return f"]({config.repo_url}/blob/main/{path}{match['rest'] or ''})"

    return LINK.sub(lead, markdown)


def pages() -> Iterator[tuple[str, str, str]]:
    """Code, name and text of each page below `rules/`."""
    for rule in discover():
        yield rule.code, rule.name, rule_page(rule)
    for (code, name), text in EXPLANATIONS.items():
        more = "[Suppression](../suppression.md#unused-misspelt-and-blanket-comments) has more."
        head = f"# {name}\n\n`{code}` · warning · reported with `--report-unused-ignores`"
        yield code, name, f"{head}\n\n{text}\n\n{more}\n"


def overview() -> str:
    """The table of all rules."""
    rows = [
        f"| {_link(rule.code, rule.name)} | {_severities(rule)} | {_levels(rule)} | {rule.summary} |"
        for rule in discover()
    ]
    flaws = [f"| {_link(*names)} | {text.partition('. ')[0]}. |" for names, text in EXPLANATIONS.items()]
    return "\n".join(
        [
            "# Rules\n",
            "`ddplint rules` prints this table, `ddplint explain CODE` the page of a rule.\n",
            "| code | name | severity | repairs | what |\n|---|---|---|---|---|",
            *rows,
            "\nRules are selected by code, prefix of codes (`DDP1`) or name, and their severity can be set: see"
            " [configuration](../configuration.md). How often each is right is [measured](../accuracy.md)."
            " [Rules of your own](../writing-a-rule.md) stand beside them.\n",
            "## Comments\n",
            "Reported with `--report-unused-ignores`:\n",
            "| code | name | what |\n|---|---|---|",
            *flaws,
            "",
        ]
    )


def _link(code: str, name: str) -> str:
    return f"[{code}]({name}.md) | [{name}]({name}.md)"


def rule_page(rule: Rule) -> str:
    """What `ddplint explain` prints, with what holds for using the rule."""
    documentation = rule.documentation
    parts = [
        f"# {rule.name}",
        f"`{rule.code}` · {_severities(rule)} · repairs: {_levels(rule)}",
        documentation.summary,
        *(f"## {title}\n\n{body}" for title, body in documentation.sections.items()),
        "## Settings",
        "The rule has no options of its own. `severity` sets at which severity it reports, `per-file-ignores` and"
        " `exclude` where it does not ([configuration](../configuration.md));"
        f" `# ddplint: ignore[{rule.code}] -- reason` silences one place ([suppression](../suppression.md)).",
    ]
    words = _words(rule)
    if words:
        parts += [
            "What your own functions do can be said in a [knowledge file](../knowledge.md). This rule's code asks for:",
            "| word | what it says |\n|---|---|\n" + "\n".join(f"| `{word}` | {text} |" for word, text in words),
        ]
    return "\n\n".join(parts) + "\n"


def _expected(rule: Rule, field: str) -> Counter[str]:
    """How often a severity or level is expected in the fixtures of a rule."""
    found = (
        one
        for fixture in fixtures(ROOT / "tests" / "fixtures")
        if fixture.code == rule.code
        for one in fixture.expected()
    )
    return Counter(getattr(one, field) for one in found if one.code == rule.code)


def _severities(rule: Rule) -> str:
    """The rule's severity, and others that it reports at."""
    others = [one for one in SEVERITIES if one in _expected(rule, "severity") and one != rule.severity]
    return ", ".join([f"**{rule.severity}**", *others])


def _levels(rule: Rule) -> str:
    found = _expected(rule, "level")
    return ", ".join(level for level in LEVELS if level in found)


def _words(rule: Rule) -> list[tuple[str, str]]:
    """The words of knowledge files that the modules of a rule mention, with their help."""
    known = {name: word.help for name, word in vocabulary.WORDS.items()}
    known |= {name: f"tag: {text}" for name, text in vocabulary.TAGS.items()}
    strings = {
        node.value
        for path in _modules(type(rule).__module__, {}).values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return [(name, text) for name, text in known.items() if name in strings]


def _modules(name: str, found: dict[str, Path]) -> dict[str, Path]:
    """The files of a module and of those of `ddplint.rules` that it imports."""
    spec = importlib.util.find_spec(name)
    if name in found or name == "ddplint.rules.base" or spec is None or not spec.origin:
        return found
    found[name] = Path(spec.origin)
    for node in ast.walk(ast.parse(found[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("ddplint.rules."):
            _modules(node.module, found)
            if found.get(node.module, Path()).name == "__init__.py":
                for alias in node.names:
                    _modules(f"{node.module}.{alias.name}", found)
    return found
