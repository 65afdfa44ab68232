"""A new rule's files: the module, fixtures, a test; and what the rules of a folder still lack."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import ddplint
from ddplint.config import ConfigError
from ddplint.documentation import RESERVED
from ddplint.registry import CODE, NAME, discover, gather
from ddplint.rules.base import Rule

# where local rules go if nothing else is said
FOLDER = "ddplint_rules"
_FIRST_CODE = "TEAM101"
# what ddplint's own rules owe
_MINIMUM = 12

_RULE = '''\
"""TODO: the bug in a few words

## What it does
TODO: what is reported, and at which place of the program.

## Why it is a bug
TODO: what goes wrong, and what whoever runs the program sees of it.

## Example
```python
# TODO: a short and whole program with the bug
```

## Instead
```python
# TODO: the same program without it, as the fix makes it if there is one
```

## Not reported
TODO: what looks like the bug and is none; what stays unknown.

## Fix safety
TODO: what a fix may change beside the bug, or why there is none.

## References
TODO: links to what shows that it is a bug.
"""

from __future__ import annotations

from ddplint.rules.base import CallEvent, Check, Rule


class @Class@Check(Check):
    def on_call(self, event: CallEvent) -> None:
        """TODO: where the event is the bug, `self.report(event.scope, event.node, "what is wrong, what to do")`."""


class @Class@(Rule):
    code = "@code@"
    name = "@name@"
    severity = "warning"
    # TODO: groups of words without which nothing can be reported, such as (frozenset(["backward"]),): it saves time
    words = ()
    check = @Class@Check


RULE = @Class@()
'''

_BUG = '''\
"""TODO: a program with the bug. At the end of the line where it is reported stands a comment:

    expect: @code@ warning none

with a # before it: code, severity, level of the fix (safe, unsafe, none).
"""
'''

_NEAR = '"""TODO: a program that looks like the bug and is none. The name of the file says why."""\n'

_TEST = '''\
"""What @name@ promises: its documentation, its fixtures, their repairs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ddplint.testing import Fixture, finding_problems, fixtures, lacks, load_rules, repair_problems

HERE = Path(__file__).parent
RULES = load_rules(HERE.parent / "@module@.py")
(RULE,) = (rule for rule in RULES if rule.code == "@code@")
FIXTURES = [fixture for fixture in fixtures(HERE / "fixtures") if fixture.code == RULE.code]


def test_is_finished() -> None:
    problems = lacks(RULE, HERE / "fixtures", RULES)
    assert not problems, "\\n".join(problems)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_findings(fixture: Fixture) -> None:
    problems = finding_problems(fixture, RULES)
    assert not problems, "\\n".join(problems)


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda fixture: fixture.name)
def test_repairs(fixture: Fixture) -> None:
    problems = repair_problems(fixture, RULES)
    assert not problems, "\\n".join(problems)
'''

_PROOF = '''\
"""@code@: TODO: what running the program before and after the repair shows."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.proof


@pytest.mark.skip("TODO: programs/@lower@_..., run as the other proofs run theirs")
def test_bug_under_real_torch() -> None:
    """TODO: the bug happens before the repair and not after it."""
'''


def is_checkout(folder: Path) -> bool:
    """Whether a folder is a checkout of ddplint itself."""
    return (folder / "ddplint" / "registry.py").is_file() and (folder / "rules" / "base.py").is_file()


def new_rule(name: str, code: str | None, into: Path | None) -> tuple[Path, ...]:
    """Write the files of a new rule and return them. Raises ConfigError, and writes nothing, if that cannot be.

    `into` is a folder of rules, made if need be, or a checkout of ddplint.
    """
    folder = into or (Path() if is_checkout(Path()) else Path(FOLDER))
    own = is_checkout(folder)
    if not NAME.fullmatch(name):
        raise ConfigError(f"a rule's name must be two or more lower-case words joined by hyphens, not {name!r}")
    if name in {rule.name for rule in discover()}:
        raise ConfigError(f"{name} is already the name of a rule of ddplint")
    code = _code(code, folder, own)
    files = dict(_files(name, code, folder, own))
    for path in files:
        if os.path.lexists(path):
            raise ConfigError(f"{path} is already there; nothing is written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(files)


def unfinished(place: Path, name: str | None = None) -> dict[Rule, list[str]]:
    """What the rules of a folder, file or checkout of ddplint lack; with `name`, only the rule of that name or code.

    Rules that lack nothing have an empty list. Raises ConfigError.
    """
    # it brings in libcst
    from ddplint.testing import lacks

    own = is_checkout(place)
    if own and Path(ddplint.__file__).resolve().parents[1] != place.resolve():
        raise ConfigError(f"{place} is not the ddplint that runs: install it with `pip install -e`")
    catalogue = gather(discover(), () if own else (place,), plugins=False)
    if catalogue.errors:
        raise ConfigError(catalogue.errors[0])
    judged = [rule for rule in catalogue.rules if own or rule.code in catalogue.origins]
    if name is not None:
        judged = [rule for rule in judged if name in (rule.name, rule.code)]
    if not judged:
        raise ConfigError(f"no rule{f' {name}' if name else ''} in {place}")
    tests = (place if own or place.is_dir() else place.parent) / "tests"
    if not own:
        return {rule: lacks(rule, tests / "fixtures", catalogue.rules) for rule in judged}
    changelog = place / "CHANGELOG.md"
    return {
        rule: [*lacks(rule, tests / "fixtures", catalogue.rules, _MINIMUM, changelog), *_proof_problems(rule, tests)]
        for rule in judged
    }


def _proof_problems(rule: Rule, tests: Path) -> list[str]:
    proof = tests / "proofs" / f"test_proof_{rule.code.lower()}.py"
    if not proof.is_file():
        return [f"no test {proof.name} runs the bug under torch"]
    return [f"test {proof.name} is still to be written"] if "TODO" in proof.read_text(encoding="utf-8") else []


def _code(code: str | None, folder: Path, own: bool) -> str:
    used = _used_codes(folder / "rules" if own else folder)
    if code is None:
        if own:
            raise ConfigError("--code must say which family the rule is of: DDP1 ranks, DDP2 losses, DDP3 data")
        code = _next(used)
    if not CODE.fullmatch(code):
        raise ConfigError(f"a code must be capital letters and at least three digits, as in ACME101, not {code!r}")
    if code.startswith(RESERVED) is not own:
        raise ConfigError(f"codes of ddplint's own rules, and only those, begin with {RESERVED}: {code}")
    if code in used:
        raise ConfigError(f"{code} is already the code of a rule in {folder}")
    return code


def _used_codes(folder: Path) -> list[str]:
    """Codes that stand in the modules of a folder; nothing is imported for that."""
    said = re.compile(rf"""^\s+code(?:: [^=]+)? = ["']({CODE.pattern})["']""", re.MULTILINE)
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(folder.glob("*.py")))
    return [code for text in texts for code in said.findall(text)]


def _next(used: Sequence[str]) -> str:
    """The code after the highest."""
    if not used:
        return _FIRST_CODE
    letters, digits = max((code.rstrip("0123456789"), code.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) for code in used)
    return f"{letters}{int(digits) + 1:0{len(digits)}}"


def _files(name: str, code: str, folder: Path, own: bool) -> Iterator[tuple[Path, str]]:
    module = name.replace("-", "_")
    words = {"Class": "".join(part.capitalize() for part in name.split("-")), "module": module}
    words |= {"name": name, "code": code, "lower": code.lower()}
    test = folder / "tests" / "proofs" / f"test_proof_{code.lower()}.py" if own else folder / f"tests/test_{module}.py"
    texts = {
        (folder / "rules" if own else folder) / f"{module}.py": _RULE,
        folder / "tests" / "fixtures" / code / "bug_todo.py": _BUG,
        folder / "tests" / "fixtures" / code / "near_todo.py": _NEAR,
        test: _PROOF if own else _TEST,
    }
    for path, text in texts.items():
        yield path, re.sub(r"@(\w+)@", lambda match: words[match[1]], text)
