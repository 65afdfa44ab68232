"""Calls into libraries: what knowledge says of them, and the builtin functions that pass values on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ddplint.flow.events import LoopEvent
from ddplint.flow.knowledge import Effect
from ddplint.flow.values import (
    NO_TAGS,
    NONE,
    OPAQUE,
    UNKNOWN,
    UNKNOWN_SHAPE,
    ClassValue,
    Const,
    Elements,
    Entries,
    FunctionValue,
    Instance,
    Items,
    Lib,
    Made,
    Method,
    Part,
    Partial,
    Place,
    Super,
    Tag,
    Tags,
    Union,
    Unknown,
    Value,
    constant,
    join,
    join_all,
    merge_tags,
    unknown,
)

if TYPE_CHECKING:
    from ddplint.flow.interpreter import Interpreter

Node = list[Any]
Arguments = list[Value]
Keywords = dict[str, Value]


class Library:
    """Mixed into the interpreter."""

    # tags

    def carried(self: Interpreter, tags: Tags, kind: str) -> Tags:  # type: ignore[misc]
        """The tags that pass through an operation of a kind; `shape` operations pass all."""
        if not tags or kind == "all":
            return tags
        known = self.knowledge.tags
        kept = {name: tag for name, tag in tags.items() if kind in known.get(name, ()) or "any" in known.get(name, ())}
        return kept if len(kept) != len(tags) else tags

    def outlasting(self: Interpreter, tags: Tags, event: str) -> Tags:  # type: ignore[misc]
        """The tags that do not end with something: those whose `through` does not say `not <event>`."""
        known, ending = self.knowledge.tags, "not " + event
        kept = {name: tag for name, tag in tags.items() if ending not in known.get(name, ())}
        return kept if len(kept) != len(tags) else tags

    def shared(self: Interpreter, operator: str, one: Tags, other: Value) -> Tags:  # type: ignore[misc]
        """The tags of one operand that the result has only if the other has them too, or is a number or blank."""
        kept = self.carried(one, "both " + operator)
        if not kept or isinstance(other.shape, Const) or "blank" in other.tags:
            return kept
        return {name: tag for name, tag in kept.items() if name in other.tags}

    def deep_tags(self: Interpreter, value: Value, depth: int = 0) -> Tags:  # type: ignore[misc]
        """The tags of a value and of what it holds."""
        tags = value.tags
        if depth > 3:
            return tags
        shape = value.shape
        parts: list[Value] = []
        if isinstance(shape, Items):
            parts = [*shape.items, *([shape.rest] if shape.rest is not None else [])]
        elif isinstance(shape, Entries):
            parts = [*shape.entries.values(), *([shape.rest] if shape.rest is not None else [])]
        elif isinstance(shape, Elements):
            parts = [shape.element]
        for part in parts[:32]:
            tags = merge_tags(tags, self.deep_tags(part, depth + 1))
        return tags

    def map_tags(self: Interpreter, value: Value, change: Callable[[Tags], Tags], depth: int = 0) -> Value:  # type: ignore[misc]
        """The value with the tags of it and of all that it holds changed; what holds others in place stays the same
        object.
        """
        shape = value.shape
        tags = change(value.tags)
        if depth > 4:
            return value.with_tags(tags)
        if isinstance(shape, Items) and (shape.items or shape.rest):
            items = [self.map_tags(item, change, depth + 1) for item in shape.items]
            rest = self.map_tags(shape.rest, change, depth + 1) if shape.rest is not None else None
            if any(new is not old for new, old in zip(items, shape.items, strict=True)) or rest is not shape.rest:
                return Value(Items(shape.kind, items, rest), tags, value.conditions, value.identity)
        elif isinstance(shape, Elements):
            element = self.map_tags(shape.element, change, depth + 1)
            if element is not shape.element:
                return Value(Elements(element), tags, value.conditions, value.identity)
        elif isinstance(shape, Entries):
            entries = {key: self.map_tags(one, change, depth + 1) for key, one in shape.entries.items()}
            rest = self.map_tags(shape.rest, change, depth + 1) if shape.rest is not None else None
            if rest is not shape.rest or any(entries[key] is not one for key, one in shape.entries.items()):
                return Value(Entries(entries, rest), tags, value.conditions, value.identity)
        elif isinstance(shape, Union):
            options = tuple(self.map_tags(option, change, depth + 1) for option in shape.options)
            if any(new is not old for new, old in zip(options, shape.options, strict=True)):
                return Value(Union(options), tags, value.conditions, value.identity)
        return value if tags == value.tags else value.with_tags(tags)

    def deep_tagged(self: Interpreter, value: Value, name: str, tag: Tag) -> Value:  # type: ignore[misc]
        """The value and all that it holds, with one more tag."""
        return self.map_tags(value, lambda tags: merge_tags(tags, {name: tag}))

    # calls by name

    def call_library(  # type: ignore[misc]
        self: Interpreter, name: str, callee: Value, arguments: Arguments, keywords: Keywords, node: Node
    ) -> Value:
        name = self.knowledge.canonical(name)
        special = _SPECIAL.get(name)
        if special is not None:
            result = special(self, arguments, keywords, node)
            if result is not None:
                return self._called(node, name, self.knowledge.call(name), callee, arguments, keywords, result)
        effect = self.knowledge.call(name)
        if effect is None and _looks_like_class(name):
            place = self.frame.place(node, f"makes a `{name.rpartition('.')[2]}`")
            result = Value(Made(name, arguments, keywords, place), self._argument_tags(arguments, keywords, "object"))
        elif effect is None:
            last = name.rpartition(".")[2]
            computes = self.knowledge.matches("numeric", name)
            kind = "compute" if computes else "objects" if self.knowledge.matches("measures", last) else "any"
            result = self._unknown_result(UNKNOWN, arguments, keywords, kind)
            result = self.unresolved(last, arguments, keywords, node, result)
        else:
            result = self.apply(effect, name, callee, arguments, keywords, node)
        return self._called(node, name, effect, callee, arguments, keywords, result)

    def _argument_tags(self: Interpreter, arguments: Arguments, keywords: Keywords, kind: str) -> Tags:  # type: ignore[misc]
        tags: Tags = NO_TAGS
        for value in [*arguments, *keywords.values()]:
            tags = merge_tags(tags, self.carried(self.deep_tags(value), kind))
        return tags

    def apply(  # type: ignore[misc]
        self: Interpreter,
        effect: Effect,
        name: str,
        callee: Value,
        arguments: Arguments,
        keywords: Keywords,
        node: Node,
    ) -> Value:
        """The result of a call whose effect is known."""
        if "shards" in effect.kinds:
            self._shard_arguments(arguments, keywords, node, name)
        if effect.returns == "object":
            place = self.frame.place(node, effect.message or f"makes a `{name.rpartition('.')[2]}`")
            made = Value(Made(name, arguments, keywords, place), self._argument_tags(arguments, keywords, "object"))
            return made.tagged(effect.adds, Tag((place,))) if effect.adds else made
        first = arguments[0] if arguments else next(iter(keywords.values()), UNKNOWN)
        if effect.returns == "first":
            return first
        if effect.returns == "arguments":
            return first if len(arguments) <= 1 else Value(Items("tuple", list(arguments)))
        if effect.returns == "receiver":
            return callee.shape.owner if isinstance(callee.shape, Method) else first
        if effect.returns == "element":
            return self.element(first)
        if effect.returns in ("elements", "pairs"):
            added = Tag((self.frame.place(node, effect.message or f"`{name.rpartition('.')[2]}` gives them"),))
            element = Value(UNKNOWN_SHAPE, {effect.adds: added} if effect.adds else NO_TAGS, identity=self.fresh())
            return Value(Elements(Value(Items("tuple", [UNKNOWN, element])) if effect.returns == "pairs" else element))
        owner = callee.shape.owner if isinstance(callee.shape, Method) else None
        if "collective" in effect.kinds and effect.kinds & {"in-place", "gathers"}:
            self.frame.collective = True
            if "in-place" in effect.kinds:
                self.mark_arguments(arguments, node, name)
        carries = effect.carries or "compute"
        sources = [*([owner] if owner is not None else []), *arguments, *keywords.values()]
        if effect.carries == "first":
            sources, carries = sources[:1], "all"
        tags: Tags = NO_TAGS
        for value in sources:
            tags = merge_tags(tags, self.carried(self.deep_tags(value), carries))
        for kind in effect.kinds:
            tags = merge_tags(tags, self._by_kind(kind, sources, effect, name, node))
        if effect.drops:
            tags = {one: tag for one, tag in tags.items() if one not in effect.drops}
        if effect.adds:
            place = self.frame.place(node, effect.message or f"`{name.rpartition('.')[2]}` is applied")
            tags = merge_tags(
                {one: tag for one, tag in tags.items() if one != effect.adds}, {effect.adds: Tag((place,))}
            )
        source = sources[0] if sources else UNKNOWN
        if carries in ("all", "shape") and isinstance(source.shape, OPAQUE):
            identity = source.identity
            shape = source.shape if isinstance(source.shape, Part) else UNKNOWN_SHAPE
            if effect.returns == "part" and isinstance(shape, Part):
                shape = Part(shape.base, shape.index + "~mean", shape.above)
            return Value(shape, tags, source.conditions, identity)
        return Value(UNKNOWN_SHAPE, tags, source.conditions if tags else frozenset(), self.fresh() if tags else 0)

    def _by_kind(  # type: ignore[misc]
        self: Interpreter, kind: str, sources: list[Value], effect: Effect, name: str, node: Node
    ) -> Tags:
        """The tags that pass through calls of a kind, with the call as one more step."""
        tags: Tags = NO_TAGS
        for value in sources:
            kept = self.carried(self.deep_tags(value), kind)
            if kept:
                place = self.frame.place(node, effect.message or f"`{name.rpartition('.')[2]}` of it")
                tags = merge_tags(
                    tags, {one: tag.then(place)._replace(detail=tag.detail or kind) for one, tag in kept.items()}
                )
        return tags

    def _shard_arguments(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node, name: str) -> None:  # type: ignore[misc]
        place = self.frame.place(node, f"`{name.rpartition('.')[2]}` gives every rank its own shard")
        for value in [*arguments, *keywords.values()]:
            for option in value.options():
                shape = option.shape
                if isinstance(shape, Instance) and "<base>" in shape.attributes:
                    shape = shape.attributes["<base>"].shape
                if isinstance(shape, Made) and self.is_kind(shape.name, "loader"):
                    shape.attributes["<sharded>"] = Value(Const(True), {"shard": Tag((shape.place, place))})

    def is_kind(self: Interpreter, name: str, kind: str) -> bool:  # type: ignore[misc]
        """Whether the call that made something is of a kind, by knowledge."""
        effect = self.knowledge.call(name)
        return effect is not None and kind in effect.kinds

    # values that differ between ranks, and what brings them together

    def unresolved(  # type: ignore[misc]
        self: Interpreter,
        name: str,
        arguments: Arguments,
        keywords: Keywords,
        node: Node,
        result: Value,
        owner: Value | None = None,
    ) -> Value:
        """The result of a call whose body is not in view: by its name it may gather its arguments."""
        if not name or not self.knowledge.matches("gathers", name):
            if (
                owner is not None
                and "shard" not in owner.tags
                and "shard" in result.tags
                and self.knowledge.matches("evaluates", name)
            ):
                return result.with_tags({one: tag for one, tag in result.tags.items() if one != "shard"})
            return result
        self.frame.collective = self.frame.collective or bool(arguments or keywords)
        self.mark_arguments([*arguments, *keywords.values()], node, name)
        if owner is not None:
            self.mark_reduced(
                owner, node[2][2] if node[2][0] == "attr" else None, self.frame.place(node, f"`{name}` may gather it")
            )
        if "shard" in self.deep_tags(result):
            result = self.deep_tagged(result, "reduced", Tag((self.frame.place(node, f"`{name}` may gather it"),)))
        return result

    def after_call(  # type: ignore[misc]
        self: Interpreter, function: FunctionValue, arguments: Arguments, keywords: Keywords, node: Node, result: Value
    ) -> Value:
        """A function of the program was called: one that gathers does so to its arguments, one that measures gives a
        number of them.
        """
        name = function.facts.name
        given = [*arguments, *keywords.values()]
        owner = function.owner
        if (
            name == "compute"
            and owner is not None
            and "shard" in self.deep_tags(result)
            and any(self.knowledge.matches("synchronises", base) for base in self.library_bases(owner))
        ):
            place = self.frame.place(node, "`compute` synchronises the metric's states")
            return self.deep_tagged(result, "reduced", Tag((place,)))
        if self.knowledge.matches("gathers", name):
            self.mark_arguments(given, node, name)
            if function.bound is not None:
                self.mark_reduced(
                    function.bound, None, self.frame.place(node, f"`{name}` brings the ranks' values together")
                )
            return result
        if not self.knowledge.matches("measures", name):
            return result
        tags = [tag for value in given if (tag := self.deep_tags(value).get("shard")) is not None]
        if (
            tags
            and not any("reduced" in self.deep_tags(value) for value in given)
            and "shard" not in self.deep_tags(result)
        ):
            place = self.frame.place(node, f"`{name}` computes from it")
            origins = frozenset(origin for tag in tags for origin in tag.origins)
            return self.deep_tagged(result, "shard", tags[0].then(place)._replace(origins=origins))
        return result

    def mark_arguments(self: Interpreter, arguments: Arguments, node: Node, name: str) -> None:  # type: ignore[misc]
        """The values handed to a call become the same on all ranks, in place."""
        place = self.frame.place(node, f"`{name.rpartition('.')[2]}` brings the ranks' values together")
        nodes = [*node[3], *(child for _, child in node[4])]
        for number, value in enumerate(arguments):
            self.mark_reduced(value, nodes[number] if number < len(nodes) else None, place)

    def mark_reduced(self: Interpreter, value: Value, node: Node | None, place: Place) -> None:  # type: ignore[misc]
        """Tag a value `reduced` where it is held: in its container, object or variable."""
        tag = Tag((place,))
        for option in value.options():
            shape = option.shape
            if isinstance(shape, Items):
                shape.items[:] = [self.deep_tagged(item, "reduced", tag) for item in shape.items]
                shape.rest = self.deep_tagged(shape.rest, "reduced", tag) if shape.rest is not None else None
            elif isinstance(shape, Entries):
                for key, one in shape.entries.items():
                    shape.entries[key] = self.deep_tagged(one, "reduced", tag)
                shape.rest = self.deep_tagged(shape.rest, "reduced", tag) if shape.rest is not None else None
            elif isinstance(shape, Instance):
                for key, one in shape.attributes.items():
                    if "shard" in self.deep_tags(one):
                        shape.attributes[key] = self.deep_tagged(one, "reduced", tag)
        if node is not None:
            self._mark_held(node, place, 0)

    def _mark_held(self: Interpreter, node: Node, place: Place, depth: int) -> None:  # type: ignore[misc]
        """Tag what a name, attribute, item or view of one of these holds."""
        frame, kind, tag = self.frame, node[0], Tag((place,))
        if depth > 4:
            return
        if kind == "name":
            value = frame.env.get(node[2])
            if value is not None:
                frame.env[node[2]] = self.deep_tagged(value, "reduced", tag)
            source = frame.sources.get(node[2])
            if source is not None and source != node:
                self._mark_held(source, place, depth + 1)
        elif kind == "attr":
            path = self.path_of(node)
            known = frame.env.get(path) if path else None
            if known is not None:
                frame.env[path] = self.deep_tagged(known, "reduced", tag)
            if node[2][0] in ("name", "attr"):
                owner = self.evaluate(node[2])
                for option in owner.options():
                    if isinstance(option.shape, Instance) and node[3] in option.shape.attributes:
                        option.shape.attributes[node[3]] = self.deep_tagged(
                            option.shape.attributes[node[3]], "reduced", tag
                        )
                if isinstance(owner.shape, OPAQUE):
                    self._mark_held(node[2], place, depth + 1)
        elif kind == "sub":
            path = self.path_of(node)
            if path and path in frame.env:
                frame.env[path] = self.deep_tagged(frame.env[path], "reduced", tag)
            if node[2][0] in ("name", "attr"):
                self.mark_reduced(self.evaluate(node[2]), node[2], place)
        elif kind == "call" and node[2][0] == "attr":
            base = node[2][2]
            if base[0] in ("name", "attr"):
                self.mark_reduced(self.evaluate(base), base, place)
        elif kind in ("tuple", "list"):
            for child in node[2]:
                self._mark_held(child, place, depth + 1)

    # objects made by libraries

    def call_object(  # type: ignore[misc]
        self: Interpreter, callee: Value, shape: Made, arguments: Arguments, keywords: Keywords, node: Node
    ) -> Value:
        name = self.knowledge.canonical(shape.name)
        effect = self.knowledge.object_(name)
        if effect is not None and "chain" in effect.kinds:
            value = arguments[0] if arguments else UNKNOWN
            for child in self.children(shape):
                value = self.call(child, [value], {}, node)
            return value
        if effect is None:
            result = self._unknown_result(callee, arguments, keywords)
            if "shard" in result.tags and self.knowledge.matches("synchronises", name):
                result = result.with_tags({one: tag for one, tag in result.tags.items() if one != "shard"})
        else:
            result = self.apply(effect, name, callee, arguments, keywords, node)
            own = result.tags.get(effect.adds)
            if own is not None:
                result = result.with_tags({**result.tags, effect.adds: own._replace(steps=(shape.place, *own.steps))})
        return self._called(node, name, effect, callee, arguments, keywords, result)

    def children(self: Interpreter, shape: Made) -> list[Value]:  # type: ignore[misc]
        """The modules that a container was built from, in order."""
        if len(shape.arguments) == 1:
            only = shape.arguments[0].shape
            if isinstance(only, Items):
                return [*only.items, *([only.rest] if only.rest is not None else [])]
            if isinstance(only, Entries):
                return list(only.entries.values())
            if isinstance(only, Made) and only.name == "collections.OrderedDict" and only.arguments:
                inner = only.arguments[0].shape
                if isinstance(inner, Items):
                    return [
                        one.shape.items[1]
                        for one in inner.items
                        if isinstance(one.shape, Items) and len(one.shape.items) == 2
                    ]
                if isinstance(inner, Entries):
                    return list(inner.entries.values())
            if isinstance(only, Elements):
                return [only.element]
        added = [value for key, value in shape.attributes.items() if key.startswith("<child>")]
        return [*shape.arguments, *added]

    def made_item(self: Interpreter, owner: Value, key: Value) -> Value:  # type: ignore[misc]
        """`object[key]` of an object that a library made."""
        shape = owner.shape
        if not isinstance(shape, Made):
            return unknown(self.carried(owner.tags, "shape"))
        effect = self.knowledge.object_(shape.name)
        if effect is not None and effect.kinds & {"chain", "modules"}:
            children = self.children(shape)
            text = key.constant
            if isinstance(text, int) and -len(children) <= text < len(children):
                return children[text]
            if isinstance(text, str) and shape.arguments and isinstance(shape.arguments[0].shape, Entries):
                return shape.arguments[0].shape.entries.get(text, UNKNOWN)
            return join_all(children) if children else UNKNOWN
        maker = self.knowledge.call(shape.name)
        if maker is not None and "dataset-view" in maker.kinds and shape.arguments:
            return self.sample(shape.arguments[0])
        return unknown(self.carried(owner.tags, "shape"))

    def made_slice(self: Interpreter, owner: Value, low: Value, high: Value, step: Value) -> Value:  # type: ignore[misc]
        shape = owner.shape
        assert isinstance(shape, Made)
        effect = self.knowledge.object_(shape.name)
        if effect is None or not effect.kinds & {"chain", "modules"}:
            return unknown(self.carried(owner.tags, "shape"))
        try:
            children = self.children(shape)[low.constant : high.constant : step.constant]
        except (TypeError, ValueError):
            return UNKNOWN
        return Value(Made(shape.name, children, {}, shape.place))

    def made_element(self: Interpreter, value: Value, shape: Made) -> Value:  # type: ignore[misc]
        maker = self.knowledge.call(shape.name)
        if maker is not None and "loader" in maker.kinds:
            return self.batch(shape, maker)
        if maker is not None and "dataset-view" in maker.kinds and shape.arguments:
            return self.sample(shape.arguments[0])
        effect = self.knowledge.object_(shape.name)
        if effect is not None and effect.kinds & {"chain", "modules"}:
            children = self.children(shape)
            return join_all(children) if children else UNKNOWN
        return unknown(self.carried(value.tags, "shape"))

    def sample(self: Interpreter, dataset: Value) -> Value:  # type: ignore[misc]
        """One item of a data set of the program."""
        found = []
        for option in dataset.options():
            shape = option.shape
            if isinstance(shape, Instance):
                method = self.class_attribute(shape.class_, "__getitem__", option)
                if method is not None:
                    found.append(self._outside(partial(self.call, method, [UNKNOWN], {}, self._here())))
                else:
                    found.append(self.element(option))
            elif isinstance(shape, (Made, Items)):
                found.append(self.element(option))
        return join_all(found)

    def _outside(self: Interpreter, run: Callable[[], Value]) -> Value:  # type: ignore[misc]
        """Run something that happens in another process than the guards of the frame speak of."""
        frame = self.frame
        held = frame.guards, frame.conditions
        frame.guards, frame.conditions = (), frozenset()
        try:
            return run()
        finally:
            frame.guards, frame.conditions = held

    def batch(self: Interpreter, loader: Made, maker: Effect) -> Value:  # type: ignore[misc]
        """What a loader gives: the data set's item (through the collate function), tagged with the loader."""
        self.loaders[id(loader)] = loader
        dataset = loader.argument(maker.argument_index("dataset"), "dataset") or UNKNOWN
        collate = loader.argument(maker.argument_index("collate_fn"), "collate_fn")
        item = self.sample(dataset)
        if collate is not None and isinstance(collate.shape, (FunctionValue, Instance, Partial)):
            item = self._outside(lambda: self.call(collate, [Value(Elements(item))], {}, self._here()))
        if isinstance(item.shape, Unknown) and item.identity == 0:
            item = Value(UNKNOWN_SHAPE, item.tags, item.conditions, self.identity_of(loader, "batch"))
        item = self.deep_tagged(item, "batch", Tag((loader.place,), origins=frozenset([id(loader)])))
        shard = self.sharding(loader, maker)
        if shard is None:
            return item
        return self.deep_tagged(item, "shard", shard._replace(origins=frozenset([id(loader)])))

    def sharding(self: Interpreter, loader: Made, maker: Effect | None = None) -> Tag | None:  # type: ignore[misc]
        """Why a loader gives every rank its own shard, or None."""
        marked = loader.attributes.get("<sharded>")
        if marked is not None:
            return marked.tags["shard"]
        maker = maker or self.knowledge.call(loader.name)
        if maker is None:
            return None
        if "sharded-loader" in maker.kinds:
            return Tag((loader.place._replace(message=maker.message or "the loader gives every rank its own shard"),))
        for name in ("sampler", "batch_sampler", "dataset"):
            given = loader.argument(maker.argument_index(name), name)
            if given is not None:
                tag = self.sharding_of(given)
                if tag is not None:
                    return tag.then(loader.place)
        return None

    def sharding_of(self: Interpreter, value: Value, depth: int = 0) -> Tag | None:  # type: ignore[misc]
        """Why a sampler or data set gives every rank its own shard."""
        if "shard" in value.tags:
            return value.tags["shard"]
        if depth > 4:
            return None
        for option in value.options():
            shape = option.shape
            if isinstance(shape, Made):
                if self.is_kind(shape.name, "sharded-sampler") or self.knowledge.matches("sharded_sampler", shape.name):
                    return Tag(
                        (shape.place._replace(message="the sampler gives every rank its own shard"),), option.conditions
                    )
                for inner in (*shape.arguments, *shape.keywords.values()):
                    if isinstance(inner.shape, (Lib, FunctionValue)) and self.knowledge.matches(
                        "splits_by_rank", _function_name(inner)
                    ):
                        place = shape.place._replace(
                            message=f"`{_function_name(inner)}` gives every rank its own shards"
                        )
                        return Tag((place,), option.conditions, detail="by node")
                for inner in shape.arguments[:2]:
                    if self.is_kind(shape.name, "dataset-view") and "shard" in inner.tags:
                        return inner.tags["shard"]
                    if isinstance(inner.shape, (Made, Instance)) and self.is_kind(shape.name, "sampler"):
                        tag = self.sharding_of(inner, depth + 1)
                        if tag is not None:
                            return tag
            elif isinstance(shape, Instance) and shape.place is not None:
                bases = self.library_bases(shape.class_)
                names = [shape.class_.facts.name, *bases]
                if any(self.is_kind(base, "sharded-sampler") for base in bases) or any(
                    self.knowledge.matches("sharded_sampler", name) for name in names
                ):
                    return Tag(
                        (shape.place._replace(message="the sampler gives every rank its own shard"),), option.conditions
                    )
                for held in shape.attributes.values():
                    if "shard" in held.tags and not held.tags["shard"].origins:
                        return held.tags["shard"]
                for name in ("sampler", "batch_sampler"):
                    inner_value = shape.attributes.get(name)
                    if inner_value is not None:
                        tag = self.sharding_of(inner_value, depth + 1)
                        if tag is not None:
                            return tag
        return None

    def next_element(self: Interpreter, value: Value, node: Node) -> Value:  # type: ignore[misc]
        """`next(value)`."""
        element = self.element(value)
        if self.listeners["loop"]:
            self.emit("loop", LoopEvent(node, self.scope(), value, element, []))
        return element

    def extend(self: Interpreter, shape: Items, value: Value) -> None:  # type: ignore[misc]
        """Add the items of a value to a list in place."""
        if isinstance(value.shape, Items) and len(shape.items) + len(value.shape.items) <= 64:
            added = list(value.shape.items)
            for condition in self.frame.conditions:
                added = [one.under(condition) for one in added]
            shape.items.extend(added)
            if value.shape.rest is not None:
                shape.rest = value.shape.rest if shape.rest is None else join(shape.rest, value.shape.rest)
        else:
            element = self.element(value)
            shape.rest = element if shape.rest is None else join(shape.rest, element)

    def enter_context(self: Interpreter, value: Value) -> None:  # type: ignore[misc]
        frame = self.frame
        for option in value.options():
            shape = option.shape
            if not isinstance(shape, Made):
                continue
            effect = self.knowledge.call(shape.name)
            if effect is None:
                continue
            if "no_grad" in effect.kinds:
                frame.no_grad = True
            if "grad-mode" in effect.kinds:
                mode = shape.argument(effect.argument_index("mode"), "mode")
                frame.no_grad = frame.no_grad or (mode is not None and mode.constant is False)
            if "autocast" in effect.kinds:
                enabled = shape.argument(effect.argument_index("enabled"), "enabled")
                device = shape.argument(effect.argument_index("device_type"), "device_type")
                off = enabled is not None and enabled.constant is False
                cpu = device is not None and device.constant == "cpu"
                frame.autocast = not off and not cpu

    # methods

    def call_method(  # type: ignore[misc]
        self: Interpreter, callee: Value, shape: Method, arguments: Arguments, keywords: Keywords, node: Node
    ) -> Value:
        owner, name = shape.owner, shape.name
        inner = owner.shape
        if isinstance(inner, Super):
            return self._call_super(callee, inner, name, arguments, keywords, node)
        builtin = _CONTAINER_METHODS.get(name)
        if builtin is not None and isinstance(inner, (Items, Entries, Elements, Const)):
            result = builtin(self, inner, arguments, keywords)
            if result is not None:
                return result
        qualified, effect = self.method_effect(owner, name)
        if isinstance(inner, Made) and name in ("append", "add_module", "insert", "register_module") and arguments:
            inner.attributes[f"<child>{len(inner.attributes)}"] = arguments[-1]
            return NONE
        if (
            isinstance(inner, Instance)
            and name in _REGISTERING
            and len(arguments) > 1
            and isinstance(arguments[0].constant, str)
        ):
            self.set_attribute(owner, arguments[0].constant, arguments[1])
            return NONE
        if effect is None:
            result = self._unknown_result(callee, [owner, *arguments], keywords)
            result = self.unresolved(name, arguments, keywords, node, result, owner)
        else:
            result = self.apply(effect, qualified, callee, arguments, keywords, node)
            if "fit" in effect.kinds:
                self.remember_batches(effect, arguments, keywords, node)
            if "shard" not in owner.tags and name == qualified:
                result = self.unresolved(name, arguments, keywords, node, result, owner)
        return self._called(node, qualified, effect, callee, arguments, keywords, result, owner)

    def remember_batches(  # type: ignore[misc]
        self: Interpreter, effect: Effect, arguments: Arguments, keywords: Keywords, node: Node
    ) -> None:
        """What a trainer will hand the hooks of the module that it is given: the batches of the loaders given with
        it.
        """

        def given(name: str) -> Value | None:
            index = effect.argument_index(name)
            return keywords.get(name, arguments[index] if 0 <= index < len(arguments) else None)

        module, loader, data = given("model"), given("train_dataloaders"), given("datamodule")
        if module is None or not isinstance(module.shape, Instance):
            return
        if loader is not None and isinstance(loader.shape, Instance) and data is None:
            loader, data = None, loader
        for hook, parameter, maker in _FITTING:
            source = loader if parameter == "train_dataloaders" else given(parameter)
            if source is None or source.is_none():
                owner = data if data is not None and isinstance(data.shape, Instance) else module
                assert isinstance(owner.shape, Instance)
                method = self.class_attribute(owner.shape.class_, maker, owner)
                if method is None or not isinstance(method.shape, FunctionValue):
                    continue
                source = self.call(method, [], {}, node)
            batch = self.element(source)
            if batch is not UNKNOWN:
                self.batches[(id(module.shape.class_.facts), hook)] = batch

    def method_effect(self: Interpreter, owner: Value, name: str) -> tuple[str, Effect | None]:  # type: ignore[misc]
        """The qualified name and effect of a method, from what its owner is, else from its name alone."""
        for option in owner.options():
            shape = option.shape
            makers: list[str] = []
            class_ = shape.class_ if isinstance(shape, Instance) else shape
            if isinstance(shape, Made):
                makers = [self.knowledge.canonical(shape.name)]
            elif isinstance(class_, ClassValue):
                own = self.own_method(class_, name)
                if own:
                    return own, self.knowledge.call(own)
                makers = self.library_bases(class_)
            for maker in makers:
                effect = self.knowledge.method(maker, name)
                if effect is not None:
                    return f"{maker}.{name}", effect
        return name, self.knowledge.methods.get(name)

    def _call_super(  # type: ignore[misc]
        self: Interpreter, callee: Value, shape: Super, name: str, arguments: Arguments, keywords: Keywords, node: Node
    ) -> Value:
        bound = shape.bound
        if not isinstance(bound.shape, Instance):
            return UNKNOWN
        for base in self.library_bases(bound.shape.class_):
            if name == "__init__":
                effect = self.knowledge.call(base)
                if effect is not None:
                    made = self.call_library(base, Value(Lib(base)), arguments, keywords, node)
                    bound.shape.attributes["<base>"] = made
                    return NONE
            effect = self.knowledge.method(base, name)
            if effect is not None:
                return self.apply(effect, f"{base}.{name}", Value(Method(bound, name)), arguments, keywords, node)
            if name in ("forward", "__call__"):
                effect = self.knowledge.object_(base)
                if effect is not None:
                    held = bound.shape.attributes.get("<base>")
                    if held is not None and isinstance(held.shape, Made):
                        return self.call_object(held, held.shape, arguments, keywords, node)
        if name == "__iter__":
            return bound.shape.attributes.get("<base>", UNKNOWN)
        return UNKNOWN


def _function_name(value: Value) -> str:
    shape = value.shape
    return (
        shape.name.rpartition(".")[2]
        if isinstance(shape, Lib)
        else shape.facts.name
        if isinstance(shape, FunctionValue)
        else ""
    )


# hooks of a trained module, the argument of `fit` whose batches they get, the method that makes the loader otherwise
_FITTING = (
    ("training_step", "train_dataloaders", "train_dataloader"),
    ("validation_step", "val_dataloaders", "val_dataloader"),
)


def _looks_like_class(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last[:1].isupper() and (len(last) == 1 or not last.isupper())


# methods of `torch.nn.Module` that set the attribute of a given name
_REGISTERING = frozenset({"add_module", "register_module", "register_parameter", "register_buffer"})


# builtin functions that pass values on


def _enumerate(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if not arguments:
        return None
    source = arguments[0].shape
    if isinstance(source, Items) and source.rest is None and source.kind == "tuple":
        return Value(Items("list", [Value(Items("tuple", [constant(i), one])) for i, one in enumerate(source.items)]))
    return Value(
        Elements(Value(Items("tuple", [UNKNOWN, self.element(arguments[0])]))), self.carried(arguments[0].tags, "pack")
    )


def _zip(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    lengths = {len(one.shape.items) for one in arguments if isinstance(one.shape, Items) and one.shape.rest is None}
    if len(lengths) == 1 and 0 < (count := lengths.pop()) <= 4:
        columns = [
            one.shape.items if isinstance(one.shape, Items) and one.shape.rest is None else [self.element(one)] * count
            for one in arguments
        ]
        return Value(Items("list", [Value(Items("tuple", list(row))) for row in zip(*columns, strict=True)]))
    return Value(Elements(Value(Items("tuple", [self.element(one) for one in arguments]))))


def _first(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    return arguments[0] if arguments else None


def _iterated(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if not arguments:
        return Value(Items("list", []))
    source = arguments[0]
    if isinstance(source.shape, Items):
        return Value(Items("list", list(source.shape.items), source.shape.rest), source.tags)
    return Value(Elements(self.element(source)), self.carried(source.tags, "pack"))


def _tuple(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if arguments and isinstance(arguments[0].shape, Items):
        return Value(Items("tuple", list(arguments[0].shape.items), arguments[0].shape.rest), arguments[0].tags)
    return _iterated(self, arguments, keywords, node)


def _next(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    return self.next_element(arguments[0], node) if arguments else None


def _map(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if len(arguments) < 2:
        return None
    return Value(Elements(self.call(arguments[0], [self.element(one) for one in arguments[1:]], {}, node)))


def _sum(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if not arguments:
        return None
    element = self.element(arguments[0])
    tags = merge_tags(self.carried(element.tags, "operator +"), self.carried(arguments[0].tags, "operator +"))
    tags = merge_tags(tags, self.shared("+", element.tags, element))
    if len(arguments) > 1:
        tags = merge_tags(tags, self.carried(arguments[1].tags, "operator +"))
    return Value(UNKNOWN_SHAPE, tags, frozenset(), self.fresh() if tags else 0)


def _getattr(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if len(arguments) < 2:
        return None
    name = arguments[1].constant
    if not isinstance(name, str):
        return UNKNOWN
    value = self.attribute(arguments[0], name, node)
    if len(arguments) > 2 and isinstance(value.shape, Method):
        return join(value, arguments[2]) if not isinstance(arguments[2].shape, Const) else UNKNOWN
    return value


def _setattr(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if len(arguments) == 3 and isinstance(arguments[1].constant, str):
        self.set_attribute(arguments[0], arguments[1].constant, arguments[2])
    return NONE


def _isinstance(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    return UNKNOWN


def _super(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    frame = self.frame
    owner = frame.owner
    if owner is None or frame.instance is None:
        outer = frame.closure
        if outer is None or outer.owner is None or outer.instance is None:
            return UNKNOWN
        return Value(Super(outer.owner, outer.instance))
    return Value(Super(owner, frame.instance))


def _partial(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if not arguments:
        return None
    return Value(Partial(arguments[0], arguments[1:], dict(keywords)))


def _dict(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if arguments and isinstance(arguments[0].shape, Entries):
        return Value(Entries({**arguments[0].shape.entries, **keywords}, arguments[0].shape.rest))
    if arguments:
        pairs = self.element(arguments[0])
        rest = pairs.shape.items[1] if isinstance(pairs.shape, Items) and len(pairs.shape.items) == 2 else UNKNOWN
        return Value(Entries(dict(keywords), rest))
    return Value(Entries(dict(keywords)))


def _type(self: Interpreter, arguments: Arguments, keywords: Keywords, node: Node) -> Value | None:
    if len(arguments) == 1 and isinstance(arguments[0].shape, Instance):
        return Value(arguments[0].shape.class_)
    return None


_SPECIAL: dict[str, Callable[[Any, Arguments, Keywords, Node], Value | None]] = {
    "builtins.enumerate": _enumerate,
    "builtins.zip": _zip,
    "itertools.zip_longest": _zip,
    "builtins.iter": _first,
    "builtins.reversed": _iterated,
    "builtins.sorted": _iterated,
    "builtins.list": _iterated,
    "builtins.set": _iterated,
    "builtins.tuple": _tuple,
    "builtins.next": _next,
    "builtins.map": _map,
    "builtins.sum": _sum,
    "builtins.getattr": _getattr,
    "builtins.setattr": _setattr,
    "builtins.isinstance": _isinstance,
    "builtins.super": _super,
    "builtins.dict": _dict,
    "collections.defaultdict": lambda self, arguments, keywords, node: Value(Entries()),
    "builtins.type": _type,
    "functools.partial": _partial,
    "functools.partialmethod": _partial,
    "itertools.islice": _iterated,
    "itertools.chain": lambda self, arguments, keywords, node: Value(
        Elements(join_all(self.element(one) for one in arguments))
    ),
    "copy.deepcopy": _first,
    "copy.copy": _first,
    # each member of an enumeration is another constant
    "enum.auto": lambda self, arguments, keywords, node: constant(f"{self.frame.module.path}:{node[1]}"),
}


# methods of containers


def _append(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if isinstance(shape, Items) and arguments:
        value = arguments[-1]
        for condition in self.frame.conditions:
            value = value.under(condition)
        if self.frame.loops or len(shape.items) >= 64:
            shape.rest = value if shape.rest is None else join(shape.rest, value)
            if len(shape.items) < 8:
                shape.items.append(value)
                shape.rest = value if shape.rest is None else shape.rest
        else:
            shape.items.append(value)
        return NONE
    return None


def _extend(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if isinstance(shape, Items) and arguments:
        self.extend(shape, arguments[0])
        return NONE
    return None


def _dict_items(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Entries):
        return None
    rows = [Value(Items("tuple", [constant(key), value])) for key, value in shape.entries.items()]
    if shape.rest is not None:
        return Value(Items("list", rows, Value(Items("tuple", [UNKNOWN, shape.rest]))))
    return Value(Items("list", rows))


def _dict_values(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Entries):
        return None
    return Value(Items("list", list(shape.entries.values()), shape.rest))


def _dict_keys(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Entries):
        return None
    return Value(Items("list", [constant(key) for key in shape.entries], UNKNOWN if shape.rest is not None else None))


def _dict_get(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Entries) or not arguments:
        return None
    key = arguments[0].constant
    if isinstance(key, (str, int)) and key in shape.entries:
        return shape.entries[key]
    default = arguments[1] if len(arguments) > 1 else keywords.get("default")
    if isinstance(arguments[0].shape, Const) and shape.rest is None:
        return default or NONE
    return join_all([*shape.entries.values(), *([shape.rest] if shape.rest else []), *([default] if default else [])])


def _index_of(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Items) or len(arguments) != 1 or not isinstance(arguments[0].shape, Const):
        return None
    known = [item.constant for item in shape.items]
    return constant(known.index(arguments[0].constant)) if arguments[0].constant in known else None


def _dict_update(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
    if not isinstance(shape, Entries):
        return None
    for value in arguments:
        if isinstance(value.shape, Entries):
            shape.entries.update(value.shape.entries)
            if value.shape.rest is not None:
                shape.rest = value.shape.rest
        elif not isinstance(value.shape, Entries):
            shape.rest = shape.rest or unknown(value.tags)
    shape.entries.update(keywords)
    return NONE


def _text(method: str) -> Callable[[Any, Any, Arguments, Keywords], Value | None]:
    def run(self: Interpreter, shape: Any, arguments: Arguments, keywords: Keywords) -> Value | None:
        if not isinstance(shape, Const) or not isinstance(shape.value, str):
            return None
        given = [value.constant for value in arguments]
        if any(not isinstance(one, str) for one in given) or keywords:
            return UNKNOWN
        try:
            result = getattr(shape.value, method)(*given)
        except (TypeError, ValueError):
            return UNKNOWN
        return constant(result) if isinstance(result, (str, bool)) else UNKNOWN

    return run


_CONTAINER_METHODS: dict[str, Callable[[Any, Any, Arguments, Keywords], Value | None]] = {
    "append": _append,
    "add": _append,
    "insert": _append,
    "extend": _extend,
    "items": _dict_items,
    "values": _dict_values,
    "keys": _dict_keys,
    "get": _dict_get,
    "index": _index_of,
    "pop": _dict_get,
    "setdefault": _dict_get,
    "update": _dict_update,
    "copy": lambda self, shape, arguments, keywords: Value(shape),
    **{name: _text(name) for name in ("lower", "upper", "strip", "startswith", "endswith")},
}
