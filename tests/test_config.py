from __future__ import annotations

from pathlib import Path

import pytest
from fake_core import RULES

from ddplint.config import ConfigError, Settings, load_settings, override
from ddplint.findings import Finding, Severity, Span
from ddplint.patterns import Pattern
from ddplint.selection import Policy, chosen_rules, find_rule, select_rules

PATTERN = Pattern("*.py", Path("/"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def error(start: Path, config: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings(start, config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path) == Settings()


def test_all_keys_in_toml_and_yaml_alike(tmp_path: Path) -> None:
    write(tmp_path / "a/mine.yaml", "{}")
    write(tmp_path / "b/mine.yaml", "{}")
    write(
        tmp_path / "a/pyproject.toml",
        '[tool.ddplint]\nselect = ["DDP2"]\nignore = ["DDP203"]\nextend-select = ["DDP101"]\nexclude = ["third/"]\n'
        'fail-on = "error"\noutput-format = "json"\njobs = 3\ncache = false\nknowledge = ["mine.yaml"]\n',
    )
    write(
        tmp_path / "b/.ddplint.yaml",
        "select: [DDP2]\nignore: [DDP203]\nextend-select: [DDP101]\nexclude: [third/]\n"
        "fail-on: error\noutput-format: json\njobs: 3\ncache: false\nknowledge: [mine.yaml]\n",
    )
    for folder in ("a", "b"):
        settings = load_settings(tmp_path / folder)
        assert settings == Settings(
            select=("DDP2",), ignore=("DDP203",), extend_select=("DDP101",),
            exclude=(Pattern("third/", tmp_path / folder),),
            fail_on="error", output_format="json", jobs=3, cache=False,
            knowledge=(tmp_path / folder / "mine.yaml",), source=settings.source,
        )  # fmt: skip


def test_nearest_configuration_wins_alone(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.ddplint]\njobs = 1\ncache = false\n")
    write(tmp_path / "p/.ddplint.yaml", "jobs: 2\n")
    write(tmp_path / "p/q/pyproject.toml", "[tool.black]\n")
    settings = load_settings(tmp_path / "p/q")
    assert (settings.jobs, settings.cache) == (2, True)


def test_command_line_wins(tmp_path: Path) -> None:
    settings = override(Settings(jobs=2, select=("DDP1",)), jobs=4, select=(), cache=None)
    assert settings == Settings(jobs=4, select=("DDP1",))


def test_isolated_and_explicit(tmp_path: Path) -> None:
    write(tmp_path / ".ddplint.yaml", "jobs: 2\n")
    assert load_settings(tmp_path, isolated=True) == Settings()
    assert load_settings(tmp_path, write(tmp_path / "c/own.toml", "jobs = 5\n")).jobs == 5
    assert load_settings(tmp_path, write(tmp_path / "c/own.yaml", "jobs: 6\n")).jobs == 6
    assert "no such configuration file" in error(tmp_path, tmp_path / "none.yaml")
    assert "no table [tool.ddplint]" in error(tmp_path, write(tmp_path / "c/pyproject.toml", "[tool.x]\n"))


def test_extended_file_is_below(tmp_path: Path) -> None:
    write(tmp_path / "lint/team.yaml", "calls: {}\n")
    write(
        tmp_path / "lint/base.yaml",
        "select: [DDP1]\nextend-select: [DDP301]\nexclude: [third/]\nextend-exclude: [/old]\nknowledge: [team.yaml]\n"
        "severity: {DDP101: note, DDP203: note}\nper-file-ignores: {a.py: [DDP1]}\njobs: 3\ncache: false\n",
    )
    write(
        tmp_path / "p/pyproject.toml",
        '[tool.ddplint]\nextend = "../lint/base.yaml"\nselect = ["DDP2"]\nextend-select = ["DDP302"]\njobs = 4\n'
        'extend-exclude = ["/new"]\nper-file-ignores = {"a.py" = ["DDP2"]}\nseverity = {DDP203 = "error"}\n',
    )
    settings = load_settings(tmp_path / "p")
    lint, own = tmp_path / "lint", tmp_path / "p"
    assert (settings.select, settings.extend_select) == (("DDP2",), ("DDP301", "DDP302"))
    assert settings.excluded == (Pattern("third/", lint), Pattern("/old", lint), Pattern("/new", own))
    assert settings.knowledge_files == (lint / "team.yaml",)
    assert settings.severity == {"DDP101": "note", "DDP203": "error"}
    assert settings.per_file_ignores == {Pattern("a.py", lint): ("DDP1",), Pattern("a.py", own): ("DDP2",)}
    assert (settings.jobs, settings.cache, settings.source) == (4, False, tmp_path / "p/pyproject.toml")
    assert [layer.source for layer in settings.layers] == [lint / "base.yaml", tmp_path / "p/pyproject.toml"]


def test_extending_in_a_circle(tmp_path: Path) -> None:
    for name, other in ("ab", "bc", "cb"):
        write(tmp_path / f"{name}.yaml", f"extend: {other}.yaml\n")
    message = error(tmp_path, tmp_path / "a.yaml")
    assert (
        message
        == f"{tmp_path}/c.yaml: `extend` goes in a circle: {tmp_path}/b.yaml -> {tmp_path}/c.yaml -> {tmp_path}/b.yaml"
    )
    assert "goes in a circle" in error(tmp_path, write(tmp_path / "own.yaml", "extend: own.yaml\n"))


def test_trouble_in_an_extended_file_names_it(tmp_path: Path) -> None:
    write(tmp_path / "base.yaml", "jobs: many\n")
    message = error(tmp_path, write(tmp_path / "own.yaml", "extend: base.yaml\n"))
    assert message.startswith(f"{tmp_path}/base.yaml:1: `jobs` must be")


def test_command_line_adds_to_extend_keys() -> None:
    settings = override(Settings(extend_select=("DDP1",)), extend_select=("DDP2",))
    assert settings.extend_select == ("DDP1", "DDP2")
    with pytest.raises(TypeError, match="no such setting: job"):
        override(settings, job=3)


def test_two_configurations_in_one_folder(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.ddplint]\n")
    write(tmp_path / ".ddplint.yaml", "")
    message = error(tmp_path)
    assert "pyproject.toml" in message
    assert ".ddplint.yaml" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("selekt: [DDP1]", "unknown key `selekt`; did you mean `select`?"),
        ("zzz: 1", "unknown key `zzz`; known: select, ignore"),
        ("fail_on: error", "did you mean `fail-on`?"),
        ("select: DDP1", "`select` must be a list of strings, not a string"),
        ("select: [1]", "`select` must be a list of strings, not a list with `1`"),
        ("fail-on: fatal", "`fail-on` must be one of note, warning, error, not `'fatal'`"),
        ("output-format: []", "`output-format` must be one of"),
        ("select: ['']", "`select` must be a list of strings, not a list with `''`"),
        ("select:", "`select` must be a list of strings, not nothing"),
        ("exclude: ['!']", "`exclude` must be a list of patterns as in .gitignore, not a list with `'!'`"),
        ("severity: [DDP1]", "`severity` must be a table of rules and severities, not a list"),
        ("severity: {DDP101: fatal}", "`severity.DDP101` must be one of note, warning, error, not `'fatal'`"),
        ("severity: {1: note}", "`severity` must be a table of rules and severities, not one with the key `1`"),
        ("per-file-ignores: {a.py: DDP1}", "`per-file-ignores.a.py` must be a list of strings, not a string"),
        ("extend: [a]", "`extend` must be a path, not `['a']`"),
        ("extend: none.yaml", "configuration file not found"),
        ("jobs: 1\n\nselect: [DDP1]\njobs: 2", ".ddplint.yaml:4: the key `jobs` stands here twice"),
        ("jobs: 1\nselect: [", ".ddplint.yaml:2: broken YAML"),
        ("jobs: 1\nseverity:\n  DDP1: note\n  DDP2: bad", ".ddplint.yaml:4: `severity.DDP2` must be one of"),
        ("jobs: 1\nseverity:\n  DDP1: note\n  2: note", ".ddplint.yaml:4: `severity` must be a table"),
        ("jobs: &a [*a, *a]", "`jobs` must be a whole number"),
        ("jobs: -1", "`jobs` must be a whole number"),
        ("jobs: true", "`jobs` must be a whole number"),
        ("cache: 1", "`cache` must be true or false, not `1`"),
        ("knowledge: [none.yaml]", "knowledge file not found"),
        ("- a", ":1: must be keys and values, not a list"),
        ("a: [", "broken YAML"),
        ("a: !!python/object/apply:os.system ['true']", "broken YAML"),
        ("[" * 1000, "broken YAML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / ".ddplint.yaml", text)
    message = error(tmp_path)
    assert expected in message
    assert str(path) in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.ddplint\n", "broken TOML"),
        ("tool = 1\n", "`tool` must be a table"),
        ("[tool]\nddplint = 3\n", "pyproject.toml: must be keys and values, not a number"),
    ],
)
def test_broken_toml(tmp_path: Path, text: str, expected: str) -> None:
    write(tmp_path / "pyproject.toml", text)
    assert expected in error(tmp_path)


def test_not_utf8(tmp_path: Path) -> None:
    (tmp_path / ".ddplint.yaml").write_bytes(b"select: ['\xe9']")
    assert "not UTF-8" in error(tmp_path)


@pytest.mark.parametrize(
    ("select", "ignore", "extend", "expected"),
    [
        pytest.param((), (), (), ["DDP101", "DDP203", "DDP204"], id="all by default"),
        pytest.param(("ALL",), (), (), ["DDP101", "DDP203", "DDP204"], id="all by name"),
        pytest.param(("DDP2",), (), (), ["DDP203", "DDP204"], id="prefix"),
        pytest.param(("ddp203",), (), (), ["DDP203"], id="code in lower case"),
        pytest.param(("sigmoid-before-bce",), (), (), ["DDP203"], id="name"),
        pytest.param((), ("DDP2",), (), ["DDP101"], id="ignored prefix"),
        pytest.param(("DDP203",), ("DDP2",), (), ["DDP203"], id="code over prefix"),
        pytest.param(("DDP2",), ("DDP2",), (), [], id="draw"),
        pytest.param(("DDP2",), (), ("DDP101",), ["DDP101", "DDP203", "DDP204"], id="extended"),
        pytest.param((), ("ALL",), ("DDP2",), ["DDP203", "DDP204"], id="all ignored but some"),
    ],
)
def test_selection(
    select: tuple[str, ...], ignore: tuple[str, ...], extend: tuple[str, ...], expected: list[str]
) -> None:
    assert [rule.code for rule in select_rules(RULES, select, ignore, extend)] == expected


@pytest.mark.parametrize("where", ["select", "ignore", "extend_select"])
def test_unknown_rule(where: str) -> None:
    with pytest.raises(ConfigError, match="unknown rule `sigmoid-bce`; did you mean sigmoid-before-bce"):
        select_rules(RULES, **{where: ("sigmoid-bce",)})
    with pytest.raises(ConfigError, match="unknown rule `E501`"):
        select_rules(RULES, **{where: ("E501",)})


def test_find_rule() -> None:
    assert find_rule(RULES, "ddp203") is find_rule(RULES, "Sigmoid-Before-BCE") is RULES[1]
    with pytest.raises(ConfigError):
        find_rule(RULES, "DDP2")


def finding(code: str, path: str = "a.py") -> Finding:
    return Finding(code, "some-name", "warning", "a message", Span(path, 1, 1, 1, 2))


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        pytest.param({}, "warning", id="the rule's own"),
        pytest.param({"DDP203": "error"}, "error", id="code"),
        pytest.param({"sigmoid-before-bce": "note", "DDP2": "error"}, "note", id="name over prefix"),
        pytest.param({"ALL": "note", "DDP2": "error"}, "error", id="prefix over all"),
        pytest.param({"ALL": "note", "DDP1": "error"}, "note", id="all"),
        pytest.param({"DDP1": "error"}, "warning", id="another rule"),
    ],
)
def test_severity(severity: dict[str, Severity], expected: str) -> None:
    graded = Policy(RULES, Settings(severity=severity)).grade([finding("DDP203")])
    assert [one.severity for one in graded] == [expected]


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        pytest.param({"legacy/": ["DDP2"]}, "legacy/a.py", ["DDP101"], id="folder and prefix"),
        pytest.param({"legacy/": ["DDP2"]}, "src/legacy/deep/a.py", ["DDP101"], id="folder anywhere"),
        pytest.param({"/legacy/": ["ALL"]}, "src/legacy/a.py", ["DDP101", "DDP203", "DDP204"], id="anchored"),
        pytest.param({"*.ipynb": ["ALL"]}, "a.ipynb", [], id="all"),
        pytest.param({"a.py": ["rank0-evaluation"], "*.py": ["DDP204"]}, "a.py", ["DDP203"], id="all that match"),
        pytest.param({"legacy/": ["ALL"]}, "/elsewhere/legacy/a.py", ["DDP101", "DDP203", "DDP204"], id="outside"),
    ],
)
def test_per_file_ignores(tmp_path: Path, patterns: dict[str, list[str]], path: str, expected: list[str]) -> None:
    ignores = {Pattern(text, tmp_path): tuple(listed) for text, listed in patterns.items()}
    policy = Policy(RULES, Settings(per_file_ignores=ignores), str(tmp_path))
    assert [rule.code for rule in RULES if policy.counts(finding(rule.code, path))] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("extend-ignore: [DDP9]", "`extend-ignore`: unknown rule `DDP9`"),
        ("severity: {sigmoid-bce: note}", "`severity`: unknown rule `sigmoid-bce`; did you mean sigmoid-before-bce?"),
        ("per-file-ignores: {a.py: [E5]}", "`per-file-ignores.a.py`: unknown rule `E5`"),
    ],
)
def test_unknown_rule_in_a_file_is_placed(tmp_path: Path, text: str, expected: str) -> None:
    path = write(tmp_path / ".ddplint.yaml", text)
    with pytest.raises(ConfigError) as caught:
        chosen_rules(RULES, load_settings(tmp_path))
    assert str(caught.value).startswith(f"{path}: {expected}")


@pytest.mark.parametrize("settings", [Settings(severity={"E5": "note"}), Settings(per_file_ignores={PATTERN: ("E5",)})])
def test_policy_knows_its_rules(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="unknown rule `E5`"):
        Policy(RULES, settings)
