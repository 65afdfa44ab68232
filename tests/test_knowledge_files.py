from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from support import misfits

from ddplint.cli import main
from ddplint.flow import vocabulary
from ddplint.flow.knowledge import KnowledgeError, load_knowledge
from ddplint.flow.vocabulary import WORDS
from ddplint.report.configuration import schema_text

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/knowledge.md").read_text(encoding="utf-8")
SCHEMA = json.loads(schema_text("knowledge"))

_BLOCK = re.compile(r'^```(?:python|yaml|text) title="(?P<title>[^"]+)"\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("DDPLINT_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "project"


def trouble(text: str) -> str:
    path = Path("team.yaml")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(KnowledgeError) as caught:
        load_knowledge([path])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def found(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    """Findings as `file:line: code name`, a line each, in the words of the documentation."""
    code = main(["check", "--output-format", "json", "-j", "1", *options, "."])
    captured = capsys.readouterr()
    assert code in (0, 1), captured.err
    rows = json.loads(captured.out)
    lines = [f"{one['filename']}:{one['location']['row']}: {one['code']} {one['name']}\n" for one in rows]
    return "".join(lines) or "no findings\n"


def check(capsys: pytest.CaptureFixture[str], knowledge: str, **files: str) -> tuple[str, str]:
    """What is found without the knowledge file, and with it."""
    for name, text in {"team.yaml": knowledge, "with.yaml": "knowledge: [team.yaml]\n", **files}.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return found(capsys, "--isolated"), found(capsys, "--config", "with.yaml")


# the documentation's examples


def examples() -> dict[str, dict[str, str]]:
    sections = re.split(r"^### ", PAGE.partition("## Reference")[0], flags=re.MULTILINE)[1:]
    return {
        text.partition("\n")[0]: {match["title"]: match["text"] for match in _BLOCK.finditer(text)} for text in sections
    }


@pytest.mark.parametrize("title", examples())
def test_documented_example(title: str, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = examples()[title]
    without, with_ = blocks.pop("without team.yaml"), blocks.pop("with team.yaml")
    assert without != with_
    assert check(capsys, blocks.pop("team.yaml"), **blocks) == (without, with_)


def test_examples_silence_and_reveal() -> None:
    silenced = {title for title, blocks in examples().items() if blocks["with team.yaml"] == "no findings\n"}
    revealed = {title for title, blocks in examples().items() if blocks["without team.yaml"] == "no findings\n"}
    assert len(silenced) >= 2
    assert len(revealed) >= 2
    assert silenced | revealed == set(examples())


@pytest.mark.parametrize("title", examples())
def test_examples_fit_the_schema(title: str) -> None:
    assert misfits(yaml.safe_load(examples()[title]["team.yaml"]), SCHEMA) == []


# what a name stands for

VALIDATE = """
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, DistributedSampler
{imported}

def validate(model, dataset):
    loader = DataLoader(dataset, batch_size=32, sampler=DistributedSampler(dataset, shuffle=False))
    counts = torch.zeros(2)
    with torch.no_grad():
        for images, labels in loader:
            counts[0] += (model(images).argmax(1) == labels).sum()
            counts[1] += len(labels)
    counts = {call}
    if dist.get_rank() == 0:
        print("accuracy", counts[0] / counts[1])
"""
COMM = """
from ringlib import ring

def over_all(value):
    for _ in range(ring.size):
        value += ring.pass_on(value)
    return value

class Ring:
    def over_all(self, value):
        return over_all(value)

class Further(Ring):
    pass
"""
FOUND, SILENT = "DDP101 rank0-evaluation\n", "no findings\n"


@pytest.mark.parametrize(
    ("name", "imported", "call"),
    [
        pytest.param("ours.comm.over_all", "from ours.comm import over_all", "over_all(counts)", id="from"),
        pytest.param("ours.comm.over_all", "from ours.comm import over_all as f", "f(counts)", id="alias"),
        pytest.param("ours.comm.over_all", "import ours.comm", "ours.comm.over_all(counts)", id="import"),
        pytest.param("ours.comm.over_all", "from ours import comm", "comm.over_all(counts)", id="module"),
        pytest.param("ours.comm.over_all", "from .ours.comm import over_all", "over_all(counts)", id="relative"),
        pytest.param("src.ours.comm.over_all", "from ours.comm import over_all", "over_all(counts)", id="longer name"),
        pytest.param("ours.over_all", "from ours import over_all", "over_all(counts)", id="re-exported"),
        pytest.param("ours.comm.Ring.over_all", "from ours.comm import Ring", "Ring().over_all(counts)", id="method"),
        pytest.param(
            "ours.comm.Ring.over_all", "from ours.comm import Further", "Further().over_all(counts)", id="inherited"
        ),
    ],
)  # fmt: skip
def test_code_that_the_project_holds(name: str, imported: str, call: str, capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "src/ours/__init__.py": "from ours.comm import over_all\n",
        "src/ours/comm.py": COMM,
        "src/validate.py": VALIDATE.format(imported=imported, call=call),
    }
    without, with_ = check(capsys, f"calls:\n  {name}: {{is: gathers}}\n", **files)
    assert without.endswith(FOUND)
    assert with_ == SILENT


def test_code_of_another_module_stays_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "ours/comm.py": COMM,
        "validate.py": VALIDATE.format(imported="from ours.comm import over_all", call="over_all(counts)"),
    }
    without, with_ = check(capsys, "calls:\n  theirs.comm.over_all: {is: gathers}\n", **files)
    assert without == with_
    assert with_.endswith(FOUND)


def test_several_names_share_an_entry(capsys: pytest.CaptureFixture[str]) -> None:
    files = {
        "ours/comm.py": COMM,
        "validate.py": VALIDATE.format(imported="from ours.comm import over_all", call="over_all(counts)"),
    }
    assert check(capsys, "calls:\n  ours.comm.total ours.comm.over_all: {is: gathers}\n", **files)[1] == SILENT


CLASS = """
import torch
from torch import nn
{imported}

class Net(nn.Module):
    def forward(self, x):
        return {output}

def main(batches):
    model = Net()
    criterion = {criterion}
    for x, y in batches:
        criterion(model(x), y).backward()

main(torch.load("batches.pt"))
"""


@pytest.mark.parametrize(
    ("knowledge", "imported", "output", "criterion"),
    [
        pytest.param(
            "objects: {lib.losses.soft_bce: {is: loss-on-probabilities}}",
            "from lib.losses import soft_bce", "torch.sigmoid(x)", "soft_bce()", id="object of a lower-case class",
        ),
        pytest.param(
            "aliases: {lib.losses.SoftBCE: torch.nn.BCELoss}",
            "from lib.losses import SoftBCE", "torch.sigmoid(x)", "SoftBCE()", id="class that works like another",
        ),
        pytest.param(
            "methods: {squash: {adds: sigmoid}}", "", "x.squash()", "nn.BCELoss()", id="method of whatever object",
        ),
        pytest.param(
            "names: {sigmoid: [probabilities]}", "", "x.probabilities", "nn.BCELoss()", id="name of an attribute",
        ),
    ],
)  # fmt: skip
def test_each_section_reveals(
    knowledge: str, imported: str, output: str, criterion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CLASS.format(imported=imported, output=output, criterion=criterion)
    without, with_ = check(capsys, knowledge, **{"train.py": text})
    assert without == SILENT
    assert with_.endswith("DDP203 sigmoid-before-bce\n")


def test_trace_says_what_a_name_stands_for(capsys: pytest.CaptureFixture[str]) -> None:
    text = CLASS.format(imported="", output="x.probabilities", criterion="nn.BCELoss()")
    check(capsys, "names: {sigmoid: [probabilities]}", **{"train.py": text})
    assert main(["check", "-j", "1", "--config", "with.yaml", "."]) == 1
    assert "`probabilities` is the output of a sigmoid" in capsys.readouterr().out


def test_step_of_a_hook_is_its_header(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = examples()["A trainer of your own"]
    check(capsys, blocks["team.yaml"], **{"train.py": blocks["train.py"]})
    main(["check", "--output-format", "json", "-j", "1", "--config", "with.yaml", "."])
    (finding,) = json.loads(capsys.readouterr().out)
    first = finding["trace"][0]
    assert first["message"] == "`validation_step` gets it from the framework"
    assert (first["location"], first["end_location"]) == ({"row": 10, "column": 5}, {"row": 10, "column": 24})


def test_own_class_counts_as_described(capsys: pytest.CaptureFixture[str]) -> None:
    text = CLASS.format(imported="from losses import SoftBCE", output="torch.sigmoid(x)", criterion="SoftBCE()")
    losses = "from fused import bce\nclass SoftBCE:\n    def __call__(self, x, y):\n        return bce(x, y)\n"
    knowledge = "objects: {losses.SoftBCE: {is: loss-on-probabilities}}"
    without, with_ = check(capsys, knowledge, **{"train.py": text, "losses.py": losses})
    assert without == SILENT
    assert with_.endswith("DDP203 sigmoid-before-bce\n")


def test_no_repair_is_made_up_for_a_loss_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    knowledge = "objects: {lib.losses.SoftBCE: {is: loss-on-probabilities}}"
    text = CLASS.format(imported="from lib.losses import SoftBCE", output="torch.sigmoid(x)", criterion="SoftBCE()")
    check(capsys, knowledge, **{"train.py": text})
    assert main(["fix", "-j", "1", "--config", "with.yaml", "."]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "what computes `SoftBCE` of logits is not known" in captured.err


# what is wrong with a file


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("call:\n  a.b: {}\n", 1, "unknown section `call`; did you mean `calls`?"),
        ("patterns: {}\n", 1, "unknown section `patterns`; known: aliases, calls, objects, methods, names"),
        ("- a\n", 1, "must be keys and values, not a list"),
        ("calls:\n  a.b:\n    is: seed\n    return: first\n", 4, "`calls.a.b`: unknown key `return`; did"),
        ("calls:\n  a.b: {is: gather}\n", 2, "not `'gather'`; did you mean `gathers`?"),
        ("calls:\n  a.b: {is: [seed, 3]}\n", 2, "`calls.a.b.is` must be a known word or a list of such, not `3`"),
        ("calls:\n  a.b:\n    is: seed\n    detail:\n      families: [jax]\n", 5, "python, not a list with `'jax'`"),
        ("calls:\n  a.b:\n    detail: {family: numpy, fixt: [rng]}\n", 3, "unknown key `fixt`; did you mean `fixed`?"),
        ("calls:\n  a.b: {adds: sigmoyd}\n", 2, "`calls.a.b.adds` must be one of sigmoid, rank,"),
        ("calls:\n  a.b: {parameters: input}\n", 2, "`calls.a.b.parameters` must be a list of names, not a string"),
        ("calls:\n  a.b: {parameters: [a b]}\n", 2, "not a list with `'a b'`"),
        ("calls:\n  a.b: {drops: [rank]}\n\n  gather_all: {}\n", 4, "`calls` must be a table of full names such as"),
        ("calls:\n  a.b:\n", 2, "`calls.a.b` must be keys and values, not nothing"),
        ("methods:\n  a.b: {is: reports}\n", 2, "`methods` must be a table of names of methods, without dots"),
        ("names:\n  mane: [is_boss]\n", 2, "`names` must be a table with the keys sigmoid, rank, main"),
        ("names:\n  main: [yes]\n", 2, "`names.main` must be a list of names, not a list with `True`"),
        ("aliases:\n  a.b: torch.sigmoyd\n", 2, "not `torch.sigmoyd`; did you mean `torch.sigmoid`?"),
        ("aliases:\n  a.b: a.b\n", 2, "must be a name that knowledge has"),
        ("calls: {}\n\ncalls: {}\n", 3, "the key `calls` stands here twice"),
        ("calls: [\n", 2, "broken YAML"),
        ("calls: !!python/object/apply:os.system ['true']\n", 1, "broken YAML"),
        ("calls: *none\n", 1, "broken YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text: str, line: int, expected: str) -> None:
    message = trouble(text)
    assert message.startswith(f"team.yaml:{line}: ")
    assert expected in message


def test_deep_nesting_is_refused() -> None:
    assert "nested too deeply" in trouble("[" * 1000 + "]" * 1000)


def test_file_that_cannot_be_read() -> None:
    with pytest.raises(KnowledgeError, match=r"none\.yaml: No such file"):
        load_knowledge([Path("none.yaml")])
    Path("latin.yaml").write_bytes(b"calls: {\xe9: {}}")
    with pytest.raises(KnowledgeError, match=r"latin\.yaml: not UTF-8"):
        load_knowledge([Path("latin.yaml")])


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "calls: {}\n"])
def test_empty_files_say_nothing(text: str) -> None:
    Path("team.yaml").write_text(text)
    assert load_knowledge([Path("team.yaml")]).calls == load_knowledge().calls


def test_command_line_says_it_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("team.yaml").write_text("calls:\n  a.b: {is: gather}\n")
    Path("with.yaml").write_text("knowledge: [team.yaml]\n")
    Path("a.py").write_text("import torch\n")
    assert main(["check", "--config", "with.yaml", "."]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"ddplint: error: \S*team\.yaml:2: `calls\.a\.b\.is` must be .*\n", captured.err)


def test_a_team_only_adds(tmp_path: Path) -> None:
    Path("team.yaml").write_text("calls:\n  ours.f: {is: seed}\naliases:\n  ours.g: torch.sigmoid\n")
    shipped, team = load_knowledge(), load_knowledge([Path("team.yaml")])
    assert team.calls.keys() - shipped.calls.keys() == {"ours.f"}
    assert {name: team.calls[name] for name in shipped.calls} == shipped.calls
    assert (team.patterns, team.tags, team.libraries) == (shipped.patterns, shipped.tags, shipped.libraries)
    assert team.call("ours.g") == team.call("torch.sigmoid")


# the vocabulary


@pytest.mark.parametrize("word", WORDS)
def test_words_mean_something(word: str) -> None:
    sources = [path.read_text() for folder in ("ddplint/flow", "rules") for path in (ROOT / folder).glob("*.py")]
    asked = [text for text in sources if f'"{word}"' in text and "WORDS: Mapping" not in text]
    carried = any(word in kinds for kinds in load_knowledge().tags.values())
    assert asked or carried or word in {other for one in WORDS.values() for other in one.also}


def test_tags_are_known() -> None:
    assert set(vocabulary.TAGS) <= set(load_knowledge().tags)


def test_words_bring_others_along() -> None:
    assert vocabulary.complete({"is": ("gathers",)}) == {
        "is": ["gathers", "collective"], "adds": "reduced", "carries": "all",
    }  # fmt: skip
    assert vocabulary.complete({"is": ("gathers",), "carries": "none"})["carries"] == "none"
    assert vocabulary.complete({"adds": "main"}) == {"is": [], "adds": "main"}


# the schema


def test_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        "call: {}",
        "calls: {a.b: {is: gather}}",
        "calls: {a.b: {carries: everything}}",
        "calls: {a: {is: seed}}",
        "calls: {a.b: {detail: {families: [jax]}}}",
        "methods: {a.b: {}}",
        "names: {mane: [x]}",
        "aliases: {a.b: [c.d]}",
    ],
)
def test_schema_refuses_what_the_check_refuses(text: str) -> None:
    assert trouble(text)
    assert misfits(yaml.safe_load(text), SCHEMA)


@pytest.mark.parametrize(
    "text", ["", "calls: {a.b a.c: {is: [seed], detail: {families: [torch]}}}", "names: {main: [x]}"]
)
def test_schema_accepts_what_the_check_accepts(text: str) -> None:
    Path("team.yaml").write_text(text)
    load_knowledge([Path("team.yaml")])
    assert misfits(yaml.safe_load(text), SCHEMA) == []
