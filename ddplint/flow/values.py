"""Abstract values: what the flow knows of a value at one point of the program.

A value has a shape (what kind of thing it is), tags (facts that travel with it, each with the steps by which it
arrived), conditions
(the branch decisions under which it is this value) and an identity, which copies share. Unknown values have no tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ddplint.flow.frame import Frame
    from ddplint.program.program import ClassFacts, FunctionFacts, Module

MAX_OPTIONS = 8
MAX_STEPS = 12
MAX_KEY_DEPTH = 3


class Condition(NamedTuple):
    """One branch decision: `subject` compared by `operator` with `other` came out as `holds`."""

    subject: str
    operator: str
    other: Any
    holds: bool

    def negated(self) -> Condition:
        return self._replace(holds=not self.holds)


Conditions = frozenset[Condition]
NO_CONDITIONS: Conditions = frozenset()


def contradict(one: Conditions, other: Conditions) -> bool:
    """Whether two sets of branch decisions cannot hold together."""
    if not one or not other:
        return False
    for condition in one:
        if condition.negated() in other:
            return True
        if condition.operator == "==" and condition.holds:
            for rival in other:
                same = rival.subject == condition.subject and rival.operator == "==" and rival.holds
                if same and rival.other != condition.other:
                    return True
    return False


class Place(NamedTuple):
    """A step of a trace before it is printed: file, packed position, sentence."""

    path: str
    position: int
    message: str


class Tag(NamedTuple):
    """One fact about a value: the steps by which it arrived, the conditions it came under, what it originates from."""

    steps: tuple[Place, ...]
    conditions: Conditions = NO_CONDITIONS
    origins: frozenset[Any] = frozenset()
    detail: str = ""

    def then(self, place: Place) -> Tag:
        """The tag after one more step; repeated and surplus steps are left out."""
        if len(self.steps) >= MAX_STEPS or any(place[:2] == step[:2] for step in self.steps):
            return self
        return self._replace(steps=(*self.steps, place))


Tags = dict[str, Tag]
NO_TAGS: Tags = {}


def merge_tags(one: Tags, other: Tags) -> Tags:
    """Tags of a value that may be either; where both have a tag the shorter trace stays, with both origins."""
    if not other or one is other:
        return one
    if not one:
        return other
    merged = dict(one)
    for name, tag in other.items():
        known = merged.get(name)
        if known is None:
            merged[name] = tag
        elif known != tag:
            keep = known if len(known.steps) <= len(tag.steps) else tag
            merged[name] = keep._replace(
                origins=known.origins | tag.origins,
                conditions=known.conditions & tag.conditions,
                detail=keep.detail or known.detail or tag.detail,
            )
    return merged


class Shape:
    """Base of all shapes."""

    __slots__ = ()

    def key(self, depth: int = 0) -> Any:
        """What two shapes share exactly if a call may treat them alike."""
        return self


class Unknown(Shape):
    __slots__ = ()

    def key(self, depth: int = 0) -> Any:
        return "?"


class Const(Shape):
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def key(self, depth: int = 0) -> Any:
        return ("const", type(self.value).__name__, self.value)


class Items(Shape):
    """A tuple or list whose first items are known; `rest` stands for any further ones. Lists grow in place."""

    __slots__ = ("items", "kind", "rest")

    def __init__(self, kind: str, items: list[Value], rest: Value | None = None) -> None:
        self.kind = kind
        self.items = items
        self.rest = rest

    def key(self, depth: int = 0) -> Any:
        if len(self.items) > 16 or depth > MAX_KEY_DEPTH:
            return self
        rest = self.rest.key(depth + 1) if self.rest else None
        return ("items", self.kind, tuple(item.key(depth + 1) for item in self.items), rest)


class Entries(Shape):
    """A dict: values by literal key, and `rest` for keys that are not known. Grows in place."""

    __slots__ = ("entries", "rest")

    def __init__(self, entries: dict[Any, Value] | None = None, rest: Value | None = None) -> None:
        self.entries: dict[Any, Value] = entries if entries is not None else {}
        self.rest = rest

    def key(self, depth: int = 0) -> Any:
        if len(self.entries) > 24 or depth > MAX_KEY_DEPTH:
            return self
        rows = tuple((key, value.key(depth + 1)) for key, value in self.entries.items())
        return ("entries", rows, self.rest.key(depth + 1) if self.rest else None)


class Elements(Shape):
    """Something to iterate over, of which only the joined element is known."""

    __slots__ = ("element",)

    def __init__(self, element: Value) -> None:
        self.element = element

    def key(self, depth: int = 0) -> Any:
        return ("elements", self.element.key(depth + 1)) if depth <= MAX_KEY_DEPTH else self


class Part(Shape):
    """A selection from another value: the base's identity, how it was indexed, and what the base is itself a
    selection from.
    """

    __slots__ = ("above", "base", "index")

    def __init__(self, base: int, index: str, above: tuple[int, ...] = ()) -> None:
        self.base = base
        self.index = index
        self.above = above

    def key(self, depth: int = 0) -> Any:
        return ("part", self.base, self.index)


class Instance(Shape):
    """An object of a class of the program. Attributes are shared by all who hold it."""

    __slots__ = ("attributes", "class_", "place", "version")

    def __init__(self, class_: ClassValue, place: Place | None = None) -> None:
        self.class_ = class_
        self.attributes: dict[str, Value] = {}
        self.version = 0
        self.place = place

    def key(self, depth: int = 0) -> Any:
        return ("instance", self, self.version)


class Made(Shape):
    """What a library call made: the callee's qualified name, the arguments, and where."""

    __slots__ = ("arguments", "attributes", "keywords", "name", "place")

    def __init__(self, name: str, arguments: list[Value], keywords: dict[str, Value], place: Place) -> None:
        self.name = name
        self.arguments = arguments
        self.keywords = keywords
        self.place = place
        self.attributes: dict[str, Value] = {}

    def argument(self, index: int, keyword: str) -> Value | None:
        """The argument given by position or keyword, or None."""
        if keyword in self.keywords:
            return self.keywords[keyword]
        return self.arguments[index] if 0 <= index < len(self.arguments) else None


class Lib(Shape):
    """A name of a library, by its qualified name: `torch.nn.functional.relu`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def key(self, depth: int = 0) -> Any:
        return ("lib", self.name)


class Method(Shape):
    """An attribute of a value that is no project object: `x.view`, `loader.dataset`."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: Value, name: str) -> None:
        self.owner = owner
        self.name = name

    def key(self, depth: int = 0) -> Any:
        return ("method", self.name, self.owner.key(depth + 1)) if depth <= MAX_KEY_DEPTH else self


class FunctionValue(Shape):
    """A function of the program. `kind` is empty, static, class or property; `marks` what its decorators put on its
    body.
    """

    __slots__ = ("bound", "closure", "facts", "kind", "marks", "module", "owner")

    def __init__(
        self,
        facts: FunctionFacts,
        module: Module,
        closure: Frame | None,
        bound: Value | None = None,
        owner: ClassValue | None = None,
        kind: str = "",
        marks: frozenset[str] = frozenset(),
    ) -> None:
        self.kind = kind
        self.marks = marks
        self.facts = facts
        self.module = module
        self.closure = closure
        self.bound = bound
        self.owner = owner

    def key(self, depth: int = 0) -> Any:
        return ("function", id(self.facts), self.bound.key(depth + 1) if self.bound else None)

    def bind(self, bound: Value | None) -> FunctionValue:
        return FunctionValue(self.facts, self.module, self.closure, bound, self.owner, self.kind, self.marks)

    def marked(self, kind: str, mark: str) -> FunctionValue:
        marks = self.marks | {mark} if mark else self.marks
        return FunctionValue(self.facts, self.module, self.closure, self.bound, self.owner, kind or self.kind, marks)


class ClassValue(Shape):
    __slots__ = ("bases", "facts", "members", "module")

    def __init__(self, facts: ClassFacts, module: Module) -> None:
        self.facts = facts
        self.module = module
        self.bases: list[Value] = []
        self.members: dict[str, Value] = {}

    def key(self, depth: int = 0) -> Any:
        return ("class", id(self.facts))


class Super(Shape):
    """`super()` in a method of `owner`."""

    __slots__ = ("bound", "owner")

    def __init__(self, owner: ClassValue, bound: Value) -> None:
        self.owner = owner
        self.bound = bound


class ModuleValue(Shape):
    __slots__ = ("module",)

    def __init__(self, module: Module) -> None:
        self.module = module

    def key(self, depth: int = 0) -> Any:
        return ("module", self.module.path)


class Partial(Shape):
    __slots__ = ("arguments", "function", "keywords")

    def __init__(self, function: Value, arguments: list[Value], keywords: dict[str, Value]) -> None:
        self.function = function
        self.arguments = arguments
        self.keywords = keywords


class Union(Shape):
    """One of several shapes, each a value of its own with the conditions it came under."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Value, ...]) -> None:
        self.options = options

    def key(self, depth: int = 0) -> Any:
        return ("union", tuple(option.key(depth + 1) for option in self.options))


@dataclass(slots=True, eq=False)
class Value:
    """One abstract value; never changed once made (not frozen, for making a frozen one takes three times as long)."""

    shape: Shape
    tags: Tags = field(default_factory=dict)
    conditions: Conditions = NO_CONDITIONS
    identity: int = 0

    def key(self, depth: int = 0) -> Any:
        if not self.tags:
            return self.shape.key(depth)
        batch = self.tags.get("batch")
        facts = tuple(sorted((name, tag.detail) for name, tag in self.tags.items()))
        summed = self.tags.get("batch_sum")
        origins = (batch.origins if batch else None, summed.origins if summed else None)
        return (self.shape.key(depth), facts, self.conditions, origins)

    def options(self) -> tuple[Value, ...]:
        """The alternatives of a union, or the value itself."""
        return self.shape.options if isinstance(self.shape, Union) else (self,)

    def with_tags(self, tags: Tags) -> Value:
        return Value(self.shape, tags, self.conditions, self.identity)

    def tagged(self, name: str, tag: Tag) -> Value:
        return Value(self.shape, merge_tags(self.tags, {name: tag}), self.conditions, self.identity)

    def under(self, condition: Condition) -> Value:
        """The value as it is when `condition` held where it was bound."""
        tags = {name: tag._replace(conditions=tag.conditions | {condition}) for name, tag in self.tags.items()}
        shape = self.shape
        if isinstance(shape, Union):
            shape = Union(tuple(option.under(condition) for option in shape.options))
        return Value(shape, tags, self.conditions | {condition}, self.identity)

    def under_all(self, conditions: Conditions) -> Value:
        """The value as it is when all of `conditions` held where it was bound."""
        value = self
        for condition in conditions:
            value = value.under(condition)
        return value

    def copied(self) -> Value:
        """A list or dict of its own with the same items; other values as they are."""
        shape = self.shape
        if isinstance(shape, Items):
            return Value(Items(shape.kind, list(shape.items), shape.rest), self.tags, self.conditions, self.identity)
        if isinstance(shape, Entries):
            return Value(Entries(dict(shape.entries), shape.rest), self.tags, self.conditions, self.identity)
        return self

    @property
    def constant(self) -> Any:
        """The Python constant this is, or None (also for the constant None)."""
        return self.shape.value if isinstance(self.shape, Const) else None

    def is_none(self) -> bool:
        return isinstance(self.shape, Const) and self.shape.value is None

    def made(self, names: Iterable[str]) -> Iterator[Made]:
        """The library objects among this value's options whose maker is one of `names`."""
        for option in self.options():
            if isinstance(option.shape, Made) and option.shape.name in names:
                yield option.shape


# shapes of which no more is known than where they come from
OPAQUE = (Unknown, Part, Method)

UNKNOWN_SHAPE = Unknown()
UNKNOWN = Value(UNKNOWN_SHAPE, NO_TAGS)


def constant(value: Any) -> Value:
    return Value(Const(value), NO_TAGS)


NONE = constant(None)


def unknown(tags: Tags) -> Value:
    return Value(UNKNOWN_SHAPE, tags) if tags else UNKNOWN


def join(one: Value, other: Value) -> Value:
    """What is known of a value that is either `one` or `other`."""
    if one is other:
        return one
    same = one.shape is other.shape
    if same or (type(one.shape) is type(other.shape) and one.shape.key() == other.shape.key()):
        identity = one.identity if one.identity == other.identity else 0
        tags = merge_tags(one.tags, other.tags)
        conditions = one.conditions & other.conditions
        if tags is one.tags and conditions == one.conditions and identity == one.identity:
            return one
        return Value(one.shape, tags, conditions, identity)
    options: list[Value] = list(one.options())
    numbers = {option.shape.key(): number for number, option in enumerate(options)}
    for option in other.options():
        number = numbers.setdefault(option.shape.key(), len(options))
        if number < len(options):
            options[number] = join(options[number], option)
        else:
            options.append(option)
    tags = merge_tags(one.tags, other.tags)
    if len(options) == 1:
        return Value(options[0].shape, tags, options[0].conditions)
    if len(options) > MAX_OPTIONS:
        return unknown(tags)
    return Value(Union(tuple(options)), tags, one.conditions & other.conditions)


def join_all(values: Iterable[Value]) -> Value:
    """The join of all values; unknown where there are none."""
    result: Value | None = None
    for value in values:
        result = value if result is None else join(result, value)
    return UNKNOWN if result is None else result


def truth(value: Value) -> bool | None:
    """Whether a value is true: True, False or None for unknown."""
    answers = {_shape_truth(option.shape) for option in value.options()}
    return answers.pop() if len(answers) == 1 else None


def _shape_truth(shape: Shape) -> bool | None:
    if isinstance(shape, Const):
        return bool(shape.value)
    if isinstance(shape, Items) and shape.rest is None:
        return bool(shape.items) if shape.kind == "tuple" or shape.items else None
    if isinstance(shape, (FunctionValue, ClassValue, Made, Instance, ModuleValue)):
        return True
    return None
