"""In how many ways the flow runs a function: with every further set of arguments it costs as much again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from ddplint.flow.values import Const, Value

# arguments that are True or False, by position or name
Flags = tuple[tuple[int | str, bool], ...]

# ways in which each file may call a function, whatever the other files of its folder used up; in how many files
_OWN = 1
_MAX_FURTHER = 2
# combinations of flags, each of which may be tried once beside the other ways
_MAX_FLAGS = 4


class Contexts:
    """Counts the ways in which functions and classes were called.

    They are counted by folder of the script or function that the flow began with; `start_file` and `start_folder` say
    where it goes on.
    """

    def __init__(self) -> None:
        self._folder: Counter[int] = Counter()
        self._file: Counter[int] = Counter()
        self._further: Counter[int] = Counter()
        self._flags: dict[int, set[Flags]] = defaultdict(set)

    def start_file(self) -> None:
        self._file.clear()

    def start_folder(self) -> None:
        self._folder.clear()
        self._file.clear()
        self._further.clear()
        self._flags.clear()

    def admit(self, identity: int, limit: int) -> bool:
        """Whether there may be one more object of the class, or way of calling the function, that has this `id()`; then
        it is counted.
        """
        if self._folder[identity] >= limit:
            return False
        self._folder[identity] += 1
        return True

    def admit_call(self, identity: int, limit: int, flags: Flags) -> bool:
        """As `admit`, and beyond the limit a file's own way, or one with other flags."""
        if not self.admit(identity, limit) and not self._is_new(identity, flags) and not self._admit_own(identity):
            return False
        self._file[identity] += 1
        if flags:
            self._flags[identity].add(flags)
        return True

    def _admit_own(self, identity: int) -> bool:
        if self._file[identity] >= _OWN or self._further[identity] >= _MAX_FURTHER:
            return False
        self._further[identity] += 1
        return True

    def _is_new(self, identity: int, flags: Flags) -> bool:
        seen = self._flags[identity]
        return bool(flags) and flags not in seen and len(seen) < _MAX_FLAGS


def flags_of(arguments: Iterable[Value], keywords: Iterable[tuple[str, Value]]) -> Flags:
    """The arguments that are True or False, with their positions or names."""
    rows: list[tuple[int | str, Value]] = [*enumerate(arguments), *keywords]
    return tuple(
        (name, value.shape.value)
        for name, value in rows
        if isinstance(value.shape, Const) and isinstance(value.shape.value, bool)
    )
