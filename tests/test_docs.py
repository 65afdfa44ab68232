"""The documentation says what the program does: options, keys, links, pages, and a tutorial that works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support import pytest_output

from ddplint.cli import cli, commands, main
from ddplint.config.settings import EXTEND, KEYS
from ddplint.config.toml import tomllib
from ddplint.config.user import USERS_KEYS
from ddplint.documentation import page_url
from ddplint.ignores import EXPLANATIONS
from ddplint.registry import discover
from ddplint.scaffold import new_rule, unfinished
from ddplint.testing import load_rules

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
TEXTS = {path: path.read_text(encoding="utf-8") for path in PAGES}
EVERYTHING = "\n".join(TEXTS.values())
# options of other programs, and of the scripts in benchmarks/
OTHERS = {"--compare", "--json", "--name", "--write"}

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
FENCE = re.compile(r"^(?P<ticks>`{3,4})(?P<info>[^\n`]*)\n(?P<body>.*?)^(?P=ticks)\s*$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^(?: {4}[^\n]*)?\n)*^ {4}[^\n]*\n", re.MULTILINE)
KNOWN_KEYS = {*KEYS, EXTEND}


def options() -> Iterator[tuple[str, str]]:
    """Every long option of every command."""
    for name, command in [("", cli), *commands().items()]:
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield from ((name, option) for option in parameter.opts if option.startswith("--"))


def blocks() -> Iterator[tuple[Path, str, str]]:
    """Page, info and text of each block of code; indented ones have no info."""
    for path, text in TEXTS.items():
        yield from ((path, match["info"].strip(), match["body"]) for match in FENCE.finditer(text))
        yield from ((path, "", textwrap.dedent(match[0])) for match in INDENTED.finditer(FENCE.sub("", text)))


class TestOptions:
    @pytest.mark.parametrize("command", sorted(commands()))
    def test_every_command_is_mentioned(self, command: str) -> None:
        assert f"ddplint {command}" in EVERYTHING

    @pytest.mark.parametrize("option", sorted({option for _, option in options()}))
    def test_every_option_is_mentioned(self, option: str) -> None:
        assert option in OPTION.findall(EVERYTHING)

    # what the places in public code say is not about ddplint
    @pytest.mark.parametrize("path", [one for one in PAGES if one.name != "accuracy.md"], ids=lambda path: path.name)
    def test_no_unknown_option_is_mentioned(self, path: Path) -> None:
        known = {option for _, option in options()} | {"--help"}
        assert {one for one in OPTION.findall(TEXTS[path]) if one not in known} <= OTHERS

    def test_others_are_mentioned(self) -> None:
        """An entry that nothing needs any more would hide a misspelling."""
        assert set(OPTION.findall(EVERYTHING)) >= OTHERS - {option for _, option in options()}

    def test_an_option_is_mentioned_with_its_command(self) -> None:
        wrong = []
        by_command: dict[str, set[str]] = {}
        for name, option in options():
            by_command.setdefault(name, {"--help"}).add(option)
        for path, _, text in blocks():
            for line in text.splitlines():
                words = line.split("#")[0].partition("   ")[0].split()
                if "ddplint" in words[:2] and len(words) > words.index("ddplint") + 1:
                    command = words[words.index("ddplint") + 1]
                    given = {word.partition("=")[0] for word in words if word.startswith("--")}
                    if command in by_command and given - by_command[command]:
                        wrong.append((path.name, line))
        assert wrong == []


class TestKeys:
    @pytest.mark.parametrize("key", sorted(KNOWN_KEYS | set(USERS_KEYS)))
    def test_every_key_is_described(self, key: str) -> None:
        assert f"`{key}`" in TEXTS[DOCS / "configuration.md"]

    def test_no_unknown_key_stands_in_a_configuration(self) -> None:
        found = list(configurations())
        assert len(found) > 20
        assert [(path.name, key) for path, keys in found for key in keys if key not in KNOWN_KEYS] == []

    def test_no_unknown_key_is_named_in_a_sentence(self) -> None:
        named = re.compile(r"(?:\bkeys?|\bsetting) `([a-z][a-z-]*)`")
        others = {"rule-paths", "plugins"}
        assert {one for one in named.findall(EVERYTHING) if one not in KNOWN_KEYS} <= others


def configurations() -> Iterator[tuple[Path, set[str]]]:
    """The keys in each configuration that the pages show."""
    for path, info, text in blocks():
        data: Any = None
        if "[tool.ddplint" in text:
            data = tomllib.loads(text).get("tool", {}).get("ddplint")
        elif info == "yaml":
            data = yaml.safe_load(text)
            # files of other programs, and knowledge files
            if not isinstance(data, dict) or not KNOWN_KEYS & set(data):
                continue
        if isinstance(data, dict):
            yield path, set(data)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    built = {f"rules/{name}.md" for _, name in [*EXPLANATIONS, *((rule.code, rule.name) for rule in discover())]}
    built.add("rules/index.md")
    for target in re.findall(r"\]\(([^)#\s]+)", FENCE.sub("", TEXTS[path])):
        if "://" not in target and not (path.parent == DOCS and target in built):
            assert (path.parent / target).exists(), target


def test_the_table_of_rules_in_the_readme() -> None:
    rows = re.findall(r"^\| (DDP\d+) \| ([a-z0-9-]+) \|", TEXTS[ROOT / "README.md"], re.MULTILINE)
    assert rows == [(rule.code, rule.name) for rule in discover()]


@pytest.mark.parametrize(
    ("command", "beginning"),
    [(["check"], "examples/hand_pose/train.py:52:13: error"), (["fix"], "--- a/examples/hand_pose/model.py")],
)
def test_output_in_the_readme(
    command: list[str], beginning: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    main([*command, "examples", "--isolated", "--no-cache"])
    (shown,) = (text for path, _, text in blocks() if path.name == "README.md" and beginning in text)
    assert shown.strip() in textwrap.dedent(capsys.readouterr().out)


class TestTutorial:
    def files(self) -> dict[str, str]:
        """The files that the tutorial shows, by their titles."""
        titled = re.compile(r'python title="([^"]+)"')
        page = TEXTS[DOCS / "writing-a-rule.md"]
        return {match[1]: one["body"] for one in FENCE.finditer(page) if (match := titled.fullmatch(one["info"]))}

    @pytest.fixture
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """What a reader has after following the tutorial."""
        monkeypatch.chdir(tmp_path)
        made = new_rule("half-precision-sum", "ACME101", None)
        for path in made[1:3]:
            path.unlink()
        for name, text in self.files().items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(text, encoding="utf-8")
        return tmp_path / "ddplint_rules"

    def test_the_rule_lacks_nothing(self, folder: Path) -> None:
        assert {rule.code: problems for rule, problems in unfinished(folder).items()} == {"ACME101": []}

    def test_its_tests_pass(self, folder: Path) -> None:
        output = pytest_output(folder)
        assert output.splitlines()[-1].startswith("11 passed"), output

    def test_it_says_what_the_page_shows(self, folder: Path) -> None:
        source = Path("src")
        source.mkdir()
        for path in (folder / "tests/fixtures/ACME101/bug_counted_in_another_file").iterdir():
            text = re.sub(r"  # (?:expect|step): .*", "", path.read_text(encoding="utf-8"))
            (source / path.name).write_text(text, encoding="utf-8")
        (command,) = re.findall(
            r"^    ddplint (check --rule-path .*)$", TEXTS[DOCS / "writing-a-rule.md"], re.MULTILINE
        )
        done = subprocess.run(
            [sys.executable, "-m", "ddplint", *command.split(), "--no-cache"],
            capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        shown = [body for _, info, body in blocks() if info == "text" and "ACME101" in body]
        assert done.stdout.partition("\n\n1 finding")[0] == shown[0].rstrip("\n")

    def test_it_imports_only_what_is_stable(self) -> None:
        rule = self.files()["ddplint_rules/half_precision_sum.py"]
        assert set(re.findall(r"^from (ddplint[\w.]*) import", rule, re.MULTILINE)) == {"ddplint.rules.base"}


class TestInterface:
    """The page names what `__all__` promises, and `__all__` has what the page names."""

    def test_names_are_there(self) -> None:
        import ddplint.rules.base
        import ddplint.testing

        for module in (ddplint.rules.base, ddplint.testing):
            assert sorted(module.__all__) == module.__all__
            assert all(hasattr(module, name) for name in module.__all__)
        page = TEXTS[DOCS / "writing-a-rule.md"]
        assert {name for name in ddplint.rules.base.__all__ if name not in page} <= {
            "Effect", "Finding", "Guard", "Knowledge", "Place", "RankEvent", "Run", "Severity", "Span", "Step",
            "span_of", "step_of",
        }  # fmt: skip
        functions = {name for name in ddplint.testing.__all__ if name[0].islower()}
        assert {name for name in functions if f"`{name}(" not in page} == set()

    def test_kinds_of_actions(self) -> None:
        from ddplint.rewriting import COMMON

        page = TEXTS[DOCS / "writing-a-rule.md"]
        assert {kind for kind in COMMON if f"`{kind}`" not in page} == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    pytest.importorskip("material")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class TestSite:
    def test_addresses_of_rules_are_those_of_their_pages(self, site: Path) -> None:
        configuration = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        (base,) = re.findall(r"^site_url: (\S+)$", configuration, re.MULTILINE)
        for code, name in [*((rule.code, rule.name) for rule in discover()), *EXPLANATIONS]:
            url = page_url(code, name)
            assert url is not None
            assert url.startswith(base)
            text = (site / url.removeprefix(base) / "index.html").read_text(encoding="utf-8")
            assert f"<code>{code}</code>" in text

    def test_a_rules_page_has_its_documentation(self, site: Path) -> None:
        for rule in discover():
            text = (site / "rules" / rule.name / "index.html").read_text(encoding="utf-8")
            for title in (*rule.documentation.sections, "Settings"):
                assert re.search(rf"<h2[^>]*>{title}<", text), (rule.code, title)
            assert "repairs: " in text

    def test_words_of_knowledge(self, site: Path) -> None:
        text = (site / "rules" / "sigmoid-before-bce" / "index.html").read_text(encoding="utf-8")
        assert "<code>loss-on-probabilities</code>" in text

    def test_schemas_are_published_and_scripts_are_not(self, site: Path) -> None:
        assert (site / "ddplint.schema.json").is_file()
        assert not (site / "generate").exists()
        assert not (site / "hooks.py").exists()

    def test_nothing_comes_from_elsewhere(self, site: Path) -> None:
        for path in site.rglob("*.html"):
            text = path.read_text(encoding="utf-8")
            loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="(https?:[^"]+)"', text)
            loaded += re.findall(r'<link[^>]+rel="(?:stylesheet|preconnect)"[^>]+href="(https?:[^"]+)"', text)
            assert loaded == [], path


def test_the_tutorials_rule_is_one_of_many() -> None:
    assert "ACME101" not in {rule.code for rule in load_rules()}
