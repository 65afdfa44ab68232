"""What the flow need not enter: functions from which no word of a rule is in reach."""

from __future__ import annotations

import json
import textwrap
import zlib

import pytest

from ddplint.facts.build import FileFacts
from ddplint.facts.lower import lower
from ddplint.flow.knowledge import load_knowledge
from ddplint.program.program import Program
from ddplint.program.relevance import Relevance


def program_of(**files: str) -> Program:
    facts = []
    for name, text in files.items():
        record = lower(textwrap.dedent(text))
        references = " ".join(record.pop("references"))
        facts.append(FileFacts(f"{name}.py", zlib.compress(json.dumps(record).encode()), references))
    return Program(facts)


def reached(program: Program, *words: frozenset[str]) -> set[str] | None:
    reach = Relevance(program, load_knowledge().matches).of(words)
    if reach is None:
        return None
    return {one.qualname for module in program.modules for one in module.functions if id(one) in reach}


SHUFFLE = frozenset({"shuffle"})


def test_callers_of_callers_are_reached_and_others_are_not() -> None:
    program = program_of(
        data="""
        def loader(rows):
            return shuffle(rows)
        def other(rows):
            return rows
        """,
        main="""
        from data import loader as make, other
        def run(rows):
            return make(rows)
        def main():
            run([])
        def aside():
            other([])
        """,
    )
    assert reached(program, SHUFFLE) == {"loader", "run", "main"}


def test_a_word_begins_a_part_of_a_name() -> None:
    program = program_of(
        data="""
        def one(x):
            return x.re_shuffle()
        def two(x):
            return x.reshuffle()
        """
    )
    assert reached(program, SHUFFLE) == {"one"}


def test_a_whole_name_is_asked_for_by_its_end() -> None:
    program = program_of(
        data="""
        def one(x):
            return x.prepare()
        def two(x):
            return x.prepare_data()
        """
    )
    assert reached(program, frozenset({"prepare$"})) == {"one"}


def test_keywords_and_keys_count_as_mentions() -> None:
    program = program_of(
        data="""
        def keyword(x):
            return make(x, shuffle=True)
        def key(x):
            return x["shuffle"]
        def neither(x):
            return make(x)
        """
    )
    assert reached(program, SHUFFLE) == {"keyword", "key"}


def test_methods_of_a_class_matter_together_but_only_its_name_leads_there() -> None:
    program = program_of(
        data="""
        import package
        class Data:
            def __init__(self, rows):
                self.rows = shuffle(rows)
            def first(self):
                return self.rows[0]
        class Child(Data):
            def last(self):
                return self.rows[-1]
        def makes():
            return Data([])
        def asks(data):
            return data.first()
        def member():
            return package.Data([])
        """
    )
    assert reached(program, SHUFFLE) == {"Data.__init__", "Data.first", "Child.last", "makes", "member"}


def test_a_variable_of_the_same_name_leads_nowhere() -> None:
    program = program_of(
        data="""
        def order(rows):
            return shuffle(rows)
        def local(order):
            return order + 1
        """
    )
    assert reached(program, SHUFFLE) == {"order"}


def test_a_name_that_a_file_defines_is_that_file_s() -> None:
    program = program_of(
        one="""
        def main():
            return shuffle([])
        def start():
            main()
        """,
        two="""
        def main():
            return 1
        def begin():
            main()
        """,
    )
    assert reached(program, SHUFFLE) == {"main", "start"}


def test_a_variable_of_the_file_leads_to_what_its_values_mention() -> None:
    program = program_of(
        data="""
        def step(rows):
            return order(rows)
        def plain(rows):
            return device, rows
        def shadowed(order):
            return order
        order = package.shuffle
        chosen: object = order
        if package.cuda:
            device = "cuda"
        def handed(rows):
            return chosen(rows)
        """,
        other="""
        def elsewhere(rows):
            return order(rows)
        """,
    )
    assert reached(program, SHUFFLE) == {"step", "handed"}


def test_each_group_has_to_be_in_reach() -> None:
    program = program_of(
        data="""
        def both(x):
            return shuffle(x).validation_loss
        def one(x):
            return shuffle(x)
        """
    )
    assert reached(program, SHUFFLE, frozenset({"pattern:evaluation_name"})) == {"both"}
    assert reached(program, SHUFFLE, frozenset({"absent"})) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("loss + 0.0 * total", {"f"}),
        ("loss + total * 0", {"f"}),
        ("loss + weight * total", set()),
        ("total.mul(0)", {"f"}),
    ],
)
def test_products_with_zero_are_marked(text: str, expected: set[str]) -> None:
    program = program_of(data=f"def f(loss, total, weight):\n    return {text}\ndef g():\n    return 0.0 * 1\n")
    assert (reached(program, frozenset({"0*"})) or set()) - {"g"} == expected
