"""How often the flow runs one function."""

from __future__ import annotations

from ddplint.flow.contexts import Contexts, flags_of
from ddplint.flow.values import UNKNOWN, constant

LIMIT = 3
TRAINING, FROZEN = (("training", True),), (("training", False),)


def used_up() -> Contexts:
    contexts = Contexts()
    while contexts.admit_call(1, LIMIT, ()):
        pass
    return contexts


def test_calls_are_admitted_up_to_the_limit() -> None:
    contexts = Contexts()
    assert [contexts.admit_call(1, LIMIT, ()) for _ in range(5)] == [True] * LIMIT + [False] * 2
    assert contexts.admit_call(2, LIMIT, ())


def test_each_file_may_call_once_more_and_each_folder_anew() -> None:
    contexts = used_up()
    contexts.start_file()
    assert [contexts.admit_call(1, LIMIT, ()) for _ in range(2)] == [True, False]
    contexts.start_folder()
    assert [contexts.admit_call(1, LIMIT, ()) for _ in range(4)] == [True] * LIMIT + [False]


def test_flags_not_seen_before_are_one_more_way() -> None:
    contexts = used_up()
    assert contexts.admit_call(1, LIMIT, TRAINING)
    assert not contexts.admit_call(1, LIMIT, TRAINING)
    assert contexts.admit_call(1, LIMIT, FROZEN)


def test_flags_seen_within_the_limit_are_no_further_way() -> None:
    contexts = Contexts()
    assert contexts.admit_call(1, 1, TRAINING)
    assert not contexts.admit_call(1, 1, TRAINING)


def test_combinations_of_flags_are_bounded() -> None:
    contexts = used_up()
    combinations = [tuple((number, bool(bits >> number & 1)) for number in range(5)) for bits in range(32)]
    assert 0 < sum(contexts.admit_call(1, LIMIT, flags) for flags in combinations) < 8


def test_objects_are_admitted_up_to_the_limit_of_the_folder() -> None:
    contexts = Contexts()
    assert [contexts.admit(1, LIMIT) for _ in range(4)] == [True] * LIMIT + [False]
    contexts.start_file()
    assert not contexts.admit(1, LIMIT)
    contexts.start_folder()
    assert contexts.admit(1, LIMIT)


def test_flags_are_arguments_that_are_true_or_false() -> None:
    arguments = [UNKNOWN, constant(True), constant(1), constant(None)]
    assert flags_of(arguments, [("mode", constant("train")), ("keep", constant(False))]) == ((1, True), ("keep", False))
