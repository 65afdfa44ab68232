"""Rules from outside: where they may come from, what they can do, and what happens when they are broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from local_rules import BODY, SECTIONS, install, rule_text, write

from ddplint.cli import main
from ddplint.config import ConfigError, load_settings
from ddplint.config.user import USERS_KEYS, UserSettings, load_user_settings
from ddplint.registry import CODE, NAME, discover, gather


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program that calls `legacy` in line 2, and a folder of rules beside it."""
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    write(tmp_path / "project/app.py", "from old import legacy\nlegacy(1)\n")
    write(tmp_path / "rules/legacy_call.py", rule_text())
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


@pytest.fixture
def user_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = project / "home/ddplint/ddplint.toml"
    monkeypatch.setattr("ddplint.config.user.user_file", lambda: path)
    return path


class TestUse:
    def test_check_reports_what_a_local_rule_finds(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--output-format", "concise", "--rule-path", "../rules"]) == 1
        assert capsys.readouterr().out.startswith("app.py:2:1: warning ACME101 legacy-call: ")

    def test_without_it_nothing_is_found(self) -> None:
        assert main(["check"]) == 0

    def test_a_file_alone(self) -> None:
        write(Path("../rules/other_call.py"), "raise RuntimeError('not asked for')\n")
        assert main(["check", "--rule-path", "../rules/legacy_call.py"]) == 1

    def test_one_rule_named_twice_is_loaded_once(self) -> None:
        assert main(["check", "--rule-path", "../rules", "--rule-path", "../rules/legacy_call.py"]) == 1

    def test_rules_says_where_a_rule_comes_from(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["rules", "--rule-path", "../rules"]) == 0
        (row,) = [row for row in capsys.readouterr().out.splitlines() if "ACME101" in row]
        assert row.split() == [
            "ACME101",
            "legacy-call",
            "warning",
            *["A", "call", "of", "legacy"],
            "(../rules/legacy_call.py)",
        ]
        assert main(["rules", "--rule-path", "../rules", "--output-format", "json"]) == 0
        rows = {row["code"]: row for row in json.loads(capsys.readouterr().out)}
        assert (rows["ACME101"]["origin"], rows["ACME101"]["url"]) == ("../rules/legacy_call.py", None)
        assert rows["DDP203"]["origin"] == "ddplint"

    def test_explain(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["explain", "legacy-call", "--rule-path", "../rules"]) == 0
        assert capsys.readouterr().out.startswith("# ACME101 legacy-call (warning)\n\nA call of legacy\n")

    @pytest.mark.parametrize(("selector", "code"), [("ACME101", 1), ("ACME", 1), ("legacy-call", 1), ("DDP", 0)])
    def test_select(self, selector: str, code: int) -> None:
        assert main(["check", "--rule-path", "../rules", "--select", selector]) == code

    def test_selecting_it_unloaded_names_the_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--select", "ACME101"]) == 2
        assert "unknown rule `ACME101`; a rule of your own needs --rule-path" in capsys.readouterr().err

    def test_fix(self) -> None:
        assert main(["fix", "--apply", "--rule-path", "../rules"]) == 0
        assert Path("app.py").read_text() == "modern(1)\n"

    @pytest.mark.parametrize("comment", ["noqa: ACME101", "ddplint: ignore[legacy-call]", "ddplint: ignore[ACME]"])
    def test_suppression(self, comment: str) -> None:
        write(Path("app.py"), f"legacy(1)  # {comment}\n")
        assert main(["check", "--rule-path", "../rules", "--report-unused-ignores"]) == 0

    def test_comments_in_bulk(self) -> None:
        assert main(["fix", "--add-ignore", "--apply", "--rule-path", "../rules"]) == 0
        assert "legacy(1)  # ddplint: ignore[ACME101]\n" in Path("app.py").read_text()
        assert main(["check", "--rule-path", "../rules"]) == 0

    def test_baseline(self) -> None:
        assert main(["baseline", "--rule-path", "../rules"]) == 0
        assert main(["check", "--rule-path", "../rules"]) == 0
        write(Path("app.py"), "legacy(1)\nlegacy(2)\n")
        assert main(["check", "--rule-path", "../rules"]) == 1

    def test_sarif_has_its_documentation(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--rule-path", "../rules", "--output-format", "sarif"]) == 1
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        (result,) = run["results"]
        rule = run["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert (rule["id"], rule["shortDescription"]["text"]) == ("ACME101", "A call of legacy")
        assert "## Fix safety" in rule["help"]["markdown"]

    def test_json_has_its_edits(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", "--rule-path", "../rules", "--output-format", "json"]) == 1
        (finding,) = json.loads(capsys.readouterr().out)
        assert [edit["content"] for edit in finding["fix"]["edits"]] == ["", "modern"]

    def test_config_takes_its_settings(self) -> None:
        write(Path(".ddplint.yaml"), "severity: {ACME101: note}\n")
        assert main(["config", "--rule-path", "../rules"]) == 0
        assert main(["check", "--rule-path", "../rules"]) == 0

    def test_helpers_beside_it_and_packages(self) -> None:
        write(Path("../rules/names.py"), "NAME = 'legacy'\n")
        write(Path("../rules/more/__init__.py"), "")
        text = rule_text("ACME102", "legacy-name").replace("from ddplint", "from ..names import NAME\nfrom ddplint")
        write(Path("../rules/more/legacy_name.py"), text.replace('== "legacy"', "== NAME"))
        assert main(["check", "--rule-path", "../rules", "--select", "ACME102"]) == 1

    def test_tests_beside_it_are_not_imported(self) -> None:
        for name in ("test_legacy.py", "legacy_test.py", "conftest.py", "tests/__init__.py", "setup.py"):
            write(Path("../rules") / name, "raise RuntimeError('imported')\n")
        assert main(["check", "--rule-path", "../rules"]) == 1

    def test_no_module_is_shadowed(self) -> None:
        write(Path("../rules/json.py"), "raise RuntimeError('imported')\n")
        write(
            Path("../rules/legacy_call.py"),
            rule_text().replace("from ddplint", "import json as j\nj.dumps\nfrom ddplint"),
        )
        assert main(["check", "--rule-path", "../rules/legacy_call.py"]) == 1


class TestCache:
    def test_a_changed_rule_is_run_again(self) -> None:
        assert main(["check", "--rule-path", "../rules"]) == 1
        write(Path("../rules/legacy_call.py"), rule_text().replace('[-1] == "legacy"', '[-1] == "something_else"'))
        assert main(["check", "--rule-path", "../rules"]) == 0

    def test_a_changed_helper_too(self) -> None:
        helper = write(Path("../rules/names.py"), "NAME = 'legacy'\n")
        text = rule_text().replace("from ddplint", "from .names import NAME\nfrom ddplint")
        write(Path("../rules/legacy_call.py"), text.replace('== "legacy"', "== NAME"))
        assert main(["check", "--rule-path", "../rules"]) == 1
        write(helper, "NAME = 'something else'\n")
        assert main(["check", "--rule-path", "../rules"]) == 0

    def test_unchanged_it_answers_from_the_cache(self, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in range(2):
            main(["check", "-v", "--rule-path", "../rules"])
        assert "from the cache" in capsys.readouterr().err


class TestBroken:
    """Each is one line that names the rule; the other rules run, and the exit code is 2."""

    def trouble(self, capsys: pytest.CaptureFixture[str], text: str, command: str = "check") -> str:
        write(Path("../rules/broken.py"), text)
        assert main([command, "--rule-path", "../rules", *(["ACME101"] if command == "explain" else [])]) == 2
        said = capsys.readouterr()
        (line,) = [row for row in said.err.splitlines() if row.startswith("ddplint: ")]
        assert "ACME10" in said.out
        return line.removeprefix("ddplint: ")

    @pytest.mark.parametrize("command", ["check", "rules", "explain"])
    def test_crash_at_import(self, capsys: pytest.CaptureFixture[str], command: str) -> None:
        line = self.trouble(capsys, "import math\nmath.floor('x')\n", command)
        assert line.startswith("rule ../rules/broken.py cannot be loaded: TypeError: must be real number")
        assert line.endswith("at broken.py:2")

    def test_exit_at_import(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = self.trouble(capsys, "raise SystemExit(0)\n")
        assert line == "rule ../rules/broken.py cannot be loaded: SystemExit: 0 at broken.py:1"

    def test_no_python(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "cannot be loaded: SyntaxError: " in self.trouble(capsys, "def f(:\n")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("RULE = LegacyCall()", "RULE = 1", "`RULE` must be an instance of a subclass of"),
            ("RULE = LegacyCall()", "RULE = LegacyCall", "not the class LegacyCall"),
            ('code = "ACME102"', 'code = "acme102"', "`code` must be capital letters and at least three digits"),
            ('code = "ACME102"', "", "as in ACME101, not None"),
            ('code = "ACME102"', 'code = "DDP999"', "codes that begin with DDP are reserved"),
            (
                'code = "ACME102"',
                'code = "ACME101"',
                "code ACME101 is already that of a rule of ../rules/legacy_call.py",
            ),
            ('name = "broken-call"', 'name = "Broken"', "`name` must be two or more lower-case words"),
            ('name = "broken-call"', 'name = "legacy-call"', "name legacy-call is already that of a rule of"),
            ('name = "broken-call"', 'name = "rank0-evaluation"', "is already that of a rule of ddplint"),
            ('severity = "warning"', 'severity = "bad"', "`severity` must be one of note, warning, error, not 'bad'"),
            ('severity = "warning"', 'severity = "note"\n    words = ("x",)', "`words` must be a tuple of frozensets"),
            ("check = LegacyCheck", "", "`check` must be a subclass of"),
            ("## Instead", "## Other", "no section 'Instead'; unknown section 'Other'"),
            ("It is gone.\n", "", "empty section 'Why it is a bug'"),
        ],
    )
    def test_unusable(self, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str) -> None:
        text = rule_text("ACME102", "broken-call")
        assert old in text
        line = self.trouble(capsys, text.replace(old, new))
        # in the order of files this one comes first, and the other one is left out where they collide
        assert line.startswith(
            ("rule ../rules/broken.py cannot be used: ", "rule ../rules/legacy_call.py cannot be used: ")
        )
        assert said.replace("legacy_call.py", "") in line.replace("broken.py", "").replace("legacy_call.py", "")

    @pytest.mark.parametrize(
        ("old", "new", "said"),
        [
            ("    def on_call(", "    def __init__(self, *given):\n        1 / 0\n\n    def on_call(", "at the start"),
            ("        if event.node[2]", "        1 / 0\n        if event.node[2]", "at an event in app.py"),
            (
                "\n\nclass LegacyCall(",
                "\n    def finish(self, run):\n        1 / 0\n\n\nclass LegacyCall(",
                "at the end",
            ),
        ],
    )
    def test_crash_in_a_run(self, capsys: pytest.CaptureFixture[str], old: str, new: str, said: str) -> None:
        text = rule_text("ACME102", "broken-call")
        assert old in text
        line = self.trouble(capsys, text.replace(old, new, 1))
        assert line.startswith(f"rule ACME102 crashed {said}: ZeroDivisionError: division by zero at broken.py:")

    def test_wrong_answer_to_an_event(self, capsys: pytest.CaptureFixture[str]) -> None:
        line = self.trouble(capsys, rule_text("ACME102", "broken-call").replace("on_call(", "on_call_result(").replace(
            "            self.report(", "            return self.report("))  # fmt: skip
        assert line.startswith(
            "rule ACME102 crashed at an event in app.py: TypeError: the answer must be a Value or None"
        )

    def test_wrong_severity_of_a_finding(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = rule_text("ACME102", "broken-call").replace("fix=fix)", 'severity="grave")')
        assert "ValueError: no severity: 'grave'" in self.trouble(capsys, text)

    def test_crash_in_its_rewrite(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = rule_text().replace(
            "    check = LegacyCheck\n",
            "    check = LegacyCheck\n\n    def rewrite(self, action, file):\n        1 / 0\n",
        )
        write(Path("../rules/legacy_call.py"), text)
        assert main(["fix", "--rule-path", "../rules"]) == 2
        said = capsys.readouterr().err
        assert "defect of rule ACME101: the fix of ACME101 at app.py:2:1 was dropped: its codemod crashed" in said
        assert "legacy_call.py:" in said

    def test_the_result_is_not_remembered(self) -> None:
        write(
            Path("../rules/broken.py"),
            rule_text("ACME102", "b-c").replace("        if event", "        1 / 0\n        if event", 1),
        )
        for _ in range(2):
            assert main(["check", "--rule-path", "../rules"]) == 2

    def test_a_report_knows(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("../rules/broken.py"), "1 / 0\n")
        assert main(["check", "--rule-path", "../rules", "--output-format", "sarif"]) == 2
        (run,) = json.loads(capsys.readouterr().out)["runs"]
        assert not run["invocations"][0]["executionSuccessful"]

    def test_no_baseline_is_written(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("../rules/broken.py"), "1 / 0\n")
        assert main(["baseline", "--rule-path", "../rules"]) == 2
        assert ".ddplint-baseline.json is not written" in capsys.readouterr().err
        assert not Path(".ddplint-baseline.json").exists()

    def test_a_package_that_cannot_be_imported(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("../rules/__init__.py"), "1 / 0\n")
        assert main(["check", "--rule-path", "../rules"]) == 2
        assert "../rules: __init__.py cannot be loaded: ZeroDivisionError" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("nowhere", "no such file or folder of rules: nowhere"),
            ("notes.txt", "rules must be a folder or a .py file: notes.txt"),
            ("my-rule.py", "my-rule.py: a rule's file must be named like a module"),
            ("empty", "no Python modules in the folder of rules empty"),
        ],
    )
    def test_paths_without_rules(self, capsys: pytest.CaptureFixture[str], path: str, said: str) -> None:
        Path("empty").mkdir()
        write(Path("notes.txt"), "")
        write(Path("my-rule.py"), rule_text())
        assert main(["check", "--rule-path", path]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"ddplint: error: {said}")

    def test_a_file_without_a_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        write(Path("../rules/helper.py"), "X = 1\n")
        assert main(["check", "--rule-path", "../rules/helper.py"]) == 2
        assert "rule ../rules/helper.py cannot be used: it defines no `RULE`" in capsys.readouterr().err
        assert main(["check", "--rule-path", "../rules"]) == 1


class TestTrust:
    """What a project says runs no code."""

    @pytest.mark.parametrize("key", USERS_KEYS)
    @pytest.mark.parametrize("name", ["pyproject.toml", ".ddplint.yaml"])
    def test_a_project_cannot_name_rules(self, name: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
        value = '["../rules"]' if key == "rule-paths" else "true"
        text = f"[tool.ddplint]\n{key} = {value}\n" if name.endswith("toml") else f"jobs: 1\n{key}: {value}\n"
        write(Path(name), text)
        assert main(["check"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{name}{':2' if name.endswith('yaml') else ''}: `{key}` only counts in your own file" in line
        assert "ACME101" not in line

    def test_nor_by_extending(self) -> None:
        write(Path(".ddplint.yaml"), "extend: base.toml\n")
        write(Path("base.toml"), 'rule-paths = ["../rules"]\n')
        with pytest.raises(ConfigError, match=r"base\.toml: `rule-paths` only counts in your own file"):
            load_settings(Path.cwd())

    def test_the_users_file(self, user_file: Path) -> None:
        write(user_file, 'rule-paths = ["../../rules"]\n')
        assert main(["check"]) == 1
        assert main(["check", "--isolated"]) == 0
        assert main(["check", "--isolated", "--rule-path", "../rules"]) == 1

    def test_home_in_the_users_file(self, user_file: Path, monkeypatch: pytest.MonkeyPatch, project: Path) -> None:
        monkeypatch.setenv("HOME", str(project))
        monkeypatch.setenv("USERPROFILE", str(project))
        write(user_file, 'rule-paths = ["~/rules"]\nplugins = false\n')
        assert load_user_settings({}) == UserSettings((project / "rules",), plugins=False)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("rule_paths = []", "unknown key `rule_paths`; did you mean `rule-paths`?"),
            ("rule-paths = 'x'", "`rule-paths` must be a list of strings, not a string"),
            ("rule-paths = [1]", "`rule-paths` must be a list of strings"),
            ("plugins = 1", "`plugins` must be true or false"),
            ("x", "broken TOML"),
        ],
    )
    def test_a_broken_users_file(
        self, user_file: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write(user_file, text)
        assert main(["check"]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(user_file) in line
        assert said in line
        assert main(["check", "--isolated"]) == 0

    def test_the_environment(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DDPLINT_RULE_PATHS", os.pathsep.join([str(project / "rules"), ""]))
        assert main(["check"]) == 1
        assert main(["check", "--isolated"]) == 0

    def test_relative_paths_in_the_environment(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DDPLINT_RULE_PATHS", "rules")
        assert main(["check"]) == 2
        assert "$DDPLINT_RULE_PATHS: must be absolute paths, not `rules`" in capsys.readouterr().err

    def test_metadata_in_the_current_folder_is_no_installed_package(self, monkeypatch: pytest.MonkeyPatch) -> None:
        install(Path.cwd(), "evil", {"evil": "evil_rules"})
        write(Path("evil_rules.py"), "raise RuntimeError('imported')\n")
        monkeypatch.setattr(sys, "path", ["", str(Path.cwd()), *sys.path])
        assert main(["check"]) == 0

    def test_run_as_a_module_nothing_of_the_folder_is_imported(self) -> None:
        for name in ("click.py", "yaml.py", "platformdirs.py"):
            write(Path(name), "raise RuntimeError('imported')\n")
        environment = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONSAFEPATH")
        }
        done = subprocess.run(
            [sys.executable, "-m", "ddplint", "check"], env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


class TestPlugins:
    @pytest.fixture
    def site(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        folder = project / "site"
        monkeypatch.syspath_prepend(str(folder))
        return folder

    def loaded(self, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
        main(["rules", "--output-format", "json", *options])
        rows = json.loads(capsys.readouterr().out)
        return {row["code"]: row["origin"] for row in rows if not row["code"].startswith("DDP")}

    def test_a_module(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_module.py", rule_text())
        install(site, "acme-lint", {"acme": "acme_module"})
        assert self.loaded(capsys) == {"ACME101": "acme-lint 1.2"}
        assert main(["check"]) == 1

    def test_a_rule(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_rule.py", rule_text())
        install(site, "acme-lint", {"acme": "acme_rule:RULE"})
        assert self.loaded(capsys) == {"ACME101": "acme-lint 1.2"}

    def test_a_package(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_package/__init__.py", "")
        write(site / "acme_package/one.py", rule_text())
        write(site / "acme_package/more/__init__.py", "")
        write(site / "acme_package/more/two.py", rule_text("ACME102", "other-call"))
        install(site, "acme-lint", {"acme": "acme_package"})
        assert self.loaded(capsys) == {"ACME101": "acme-lint 1.2", "ACME102": "acme-lint 1.2"}

    def test_left_out(self, site: Path, user_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_left_out.py", rule_text())
        install(site, "acme-lint", {"acme": "acme_left_out"})
        assert main(["check", "--no-plugins"]) == 0
        assert main(["check", "--isolated"]) == 0
        write(user_file, "plugins = false\n")
        capsys.readouterr()
        assert self.loaded(capsys) == {}

    def test_broken_ones_are_named(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_broken/__init__.py", "")
        write(site / "acme_broken/bad.py", "1 / 0\n")
        write(site / "acme_broken/good.py", rule_text())
        install(site, "acme-lint", {"acme": "acme_broken", "gone": "acme_gone", "text": "acme_broken:__name__"})
        assert main(["check", "--output-format", "concise"]) == 2
        said = capsys.readouterr()
        assert "ACME101" in said.out
        assert [line.partition(": ")[2] for line in sorted(said.err.splitlines()) if "acme" in line] == [
            "acme_broken.bad of acme-lint 1.2 cannot be loaded: ZeroDivisionError: division by zero at bad.py:1",
            "entry point gone of acme-lint 1.2 cannot be loaded: ModuleNotFoundError: No module named 'acme_gone' at "
            "__init__.py:" + said.err.partition("No module named 'acme_gone' at __init__.py:")[2].partition("\n")[0],
            "entry point text of acme-lint 1.2 cannot be used: `RULE` must be an instance of a subclass of "
            "ddplint.rules.base.Rule, not of type str",
        ]

    def test_a_package_of_the_same_rules_as_a_path(self, site: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write(site / "acme_twice.py", rule_text())
        install(site, "acme-lint", {"acme": "acme_twice"})
        assert main(["check", "--rule-path", "../rules"]) == 2
        assert "code ACME101 is already that of a rule of acme-lint 1.2" in capsys.readouterr().err


def test_own_rules_keep_to_the_rules_for_all() -> None:
    for rule in discover():
        assert CODE.fullmatch(rule.code)
        assert NAME.fullmatch(rule.name)


def test_without_further_rules_the_catalogue_is_that_of_ddplint() -> None:
    catalogue = gather(discover(), plugins=False)
    assert catalogue.rules == discover()
    assert catalogue.errors == ()
    assert {catalogue.origin(rule) for rule in catalogue.rules} == {"ddplint"}


def test_templates_differ_only_where_they_should() -> None:
    assert rule_text() == SECTIONS.format(summary="A call of legacy") + BODY.replace("{code}", "ACME101").replace(
        "{name}", "legacy-call"
    )
