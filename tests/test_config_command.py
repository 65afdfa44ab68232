from __future__ import annotations

import importlib.machinery
import importlib.util
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from fake_core import FakeCore
from support import Run, misfits

from ddplint.baseline import BASELINE
from ddplint.config import ConfigError, load_settings
from ddplint.config.settings import EXTEND, KEYS
from ddplint.report.configuration import schema_text

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = json.loads(schema_text("settings"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path / "p"


@pytest.fixture
def run(core: FakeCore, run: Run) -> Run:
    return partial(run, "config")


def write(**files: str) -> None:
    for name, text in files.items():
        path = Path(name.replace("__", "/").replace("_dot_", "."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def lines(text: str) -> dict[str, tuple[str, str]]:
    """Key to value and origin."""
    pairs = re.findall(r"^(\S.*?) = (.*?) +# (.*)$", text, re.MULTILINE)
    return {key: (value, origin) for key, value, origin in pairs}


# ddplint config


def test_every_setting_has_its_line(run: Run) -> None:
    code, out, err = run("--isolated")
    assert (code, err) == (0, "")
    assert list(lines(out)) == list(KEYS)
    assert {origin for _, origin in lines(out).values()} == {"default"}


def test_origins(run: Run, folder: Path) -> None:
    Path("../base.yaml").write_text(
        "extend-select: [DDP101]\nseverity: {DDP204: error, DDP101: note}\njobs: 2\ncache: false\n"
    )
    write(
        pyproject_dot_toml='[tool.ddplint]\nextend = "../base.yaml"\nextend-select = ["DDP203"]\njobs = 3\n'
        'severity = {DDP204 = "note"}\n[tool.ddplint.per-file-ignores]\n"old/*.py" = ["DDP2"]\n'
    )
    base = folder.parent / "base.yaml"
    shown = lines(run("--ignore", "DDP204", "--exclude", "x/")[1])
    assert shown["extend-select"] == (
        '["DDP101", "DDP203"]', f"{base}:extend-select, pyproject.toml:extend-select",
    )  # fmt: skip
    assert shown["jobs"] == ("3", "pyproject.toml:jobs")
    assert shown["cache"] == ("false", f"{base}:cache")
    assert shown["severity.DDP204"] == ('"note"', "pyproject.toml:severity.DDP204")
    assert shown["severity.DDP101"] == ('"note"', f"{base}:severity.DDP101")
    assert shown['per-file-ignores."old/*.py"'] == ('["DDP2"]', "pyproject.toml:per-file-ignores.old/*.py")
    assert shown["ignore"] == ('["DDP204"]', "command line")
    assert shown["exclude"] == ('["x/"]', "command line")
    assert shown["select"] == ("[]", "default")


def test_what_holds_for_a_file(run: Run) -> None:
    write(
        _dot_ddplint_dot_yaml="ignore: [DDP204]\nexclude: [third/]\nper-file-ignores: {old/: [DDP2]}\n"
        "severity: {DDP101: note}\n",
        third__old__a_dot_py="",
        b_dot_py="",
    )
    out = run("third/old/a.py", "b.py")[1]
    first, second = out.partition("\nthird/old/a.py\n")[2].split("\nb.py\n")
    assert first == (
        "  rules: DDP101 (note)\n"
        '  left out: DDP203, by "old/" (.ddplint.yaml:per-file-ignores)\n'
        '  excluded by "third/" (.ddplint.yaml:exclude): read only where it is named itself\n'
    )
    assert second == "  rules: DDP101 (note), DDP203 (warning)\n"


def test_json(run: Run, folder: Path) -> None:
    write(_dot_ddplint_dot_yaml="per-file-ignores: {a.py: [ALL]}\nextend-exclude: [a.py]\n", a_dot_py="")
    code, out, err = run("--output-format", "json", "a.py")
    data = json.loads(out)
    assert (code, err) == (0, "")
    source = str(folder / ".ddplint.yaml")
    rows = {tuple(row["key"]): (row["value"], row["origins"]) for row in data["settings"]}
    assert rows["per-file-ignores", "a.py"] == (["ALL"], [f"{source}:per-file-ignores.a.py"])
    assert rows["fail-on",] == ("warning", ["default"])
    assert data["files"] == [
        {
            "path": "a.py",
            "rules": [],
            "left_out": ["DDP101", "DDP203", "DDP204"],
            "per_file_ignores": [{"pattern": "a.py", "origin": f"{source}:per-file-ignores"}],
            "excluded_by": [{"pattern": "a.py", "origin": f"{source}:extend-exclude"}],
        }
    ]


def test_baseline_in_use(run: Run, folder: Path) -> None:
    known, line = str(folder / BASELINE), 'baseline = "{}"'
    (folder / "src").mkdir()
    assert "baseline = none" in run("src")[1]
    write(**{BASELINE.replace(".", "_dot_"): ""})
    _, out, _ = run("src")
    assert re.search(rf"^{re.escape(line.format(known))} +# found$", out, re.MULTILINE)
    rows = json.loads(run("--output-format", "json", "src")[1])["settings"]
    assert {"key": ["baseline"], "value": known, "origins": ["found"]} in rows
    assert "baseline = none" in run("--isolated", "src")[1]
    write(_dot_ddplint_dot_yaml="baseline: own.json\n")
    _, out, _ = run("src")
    assert line.format(folder / "own.json") in out
    assert "# found" not in out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nope"], "no such file or folder: nope"),
        (["--select", "DDP9"], "unknown rule `DDP9`"),
        (["--config", "none.yaml"], "no such configuration file: none.yaml"),
        (["--schema", "rules"], "'rules' is not one of 'settings', 'knowledge'"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, arguments: list[str], expected: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert expected in err


def test_unknown_rule_of_a_table_is_said(run: Run, folder: Path) -> None:
    write(_dot_ddplint_dot_yaml="severity: {DDP9: note}\n")
    code, _, err = run()
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"ddplint: error: {folder}/.ddplint.yaml: `severity`: unknown rule `DDP9`")


@pytest.mark.parametrize("which", ["settings", "knowledge"])
def test_schema_is_printed(run: Run, which: str) -> None:
    assert run("--schema", which) == (0, schema_text(which), "")


# the schema


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["properties"].keys() == {*KEYS, EXTEND}


@pytest.mark.parametrize("name", KEYS)
def test_examples_are_good(name: str, folder: Path) -> None:
    example = KEYS[name].example
    Path("lint").mkdir()
    for file in ("team.yaml", "more.yaml"):
        (folder / "lint" / file).touch()
    write(_dot_ddplint_dot_yaml=yaml.safe_dump({name: example}))
    assert misfits({name: example}, SCHEMA) == []
    assert getattr(load_settings(folder), KEYS[name].field) != KEYS[name].default


@pytest.mark.parametrize("text", ["", "select: []", "severity: {}", "jobs: 0", "cache: true"])
def test_schema_accepts_what_the_check_accepts(text: str, folder: Path) -> None:
    write(_dot_ddplint_dot_yaml=text)
    load_settings(folder)
    assert misfits(yaml.safe_load(text), SCHEMA) == []


@pytest.mark.parametrize(
    "text",
    [
        "selekt: [DDP1]",
        "select: DDP1",
        "select: ['']",
        "severity: {DDP101: fatal}",
        "per-file-ignores: {a.py: DDP1}",
        "fail-on: never",
        "jobs: -1",
        "jobs: many",
        "cache: 1",
        "extend: []",
        "[]",
    ],
)
def test_schema_refuses_what_the_check_refuses(text: str, folder: Path) -> None:
    write(_dot_ddplint_dot_yaml=text)
    with pytest.raises(ConfigError):
        load_settings(folder)
    assert misfits(yaml.safe_load(text), SCHEMA)


# the documentation


def generator() -> Any:
    loader = importlib.machinery.SourceFileLoader("docs_generate", str(DOCS / "generate"))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "commands.md",
        "configuration.md",
        "ddplint-knowledge.schema.json",
        "ddplint.schema.json",
        "knowledge.md",
        "speed.md",
    ],
)
def test_generated_parts_are_up_to_date(name: str) -> None:
    pages = {path.name: text for path, text in generator().pages()}
    assert (DOCS / name).read_text(encoding="utf-8") == pages[name], "run docs/generate"


def test_every_key_is_in_the_reference() -> None:
    text = (DOCS / "configuration.md").read_text(encoding="utf-8").partition("## Keys")[2]
    assert re.findall(r"^### `(.+)`$", text, re.MULTILINE) == [*KEYS, EXTEND]


def test_options_named_by_keys_exist() -> None:
    from ddplint.cli.check import check_command

    options = {option for parameter in check_command.params for option in parameter.opts}
    assert {key.option for key in KEYS.values() if key.option} <= options
