"""What the repairs that gather predictions share: what a loop's batches are, and how they can be sent."""

from __future__ import annotations

from ddplint.facts.nodes import Node, last_of, text_of, walk
from ddplint.rules.rank0.loaders import Loaders
from ddplint.rules.rank0.reach import Reach, Where
from ddplint.rules.rank0.rows import Rows
from ddplint.rules.rank0.seen import Loop, Use
from ddplint.rules.repairs import Refused
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import first_reads, source_of, spelled, stored_by, target_names

NO_DEVICE = (
    "under NCCL objects are sent through the current device, which no `torch.cuda.set_device` in view chooses for each "
    "rank"
)


class Gather:
    """Answers for one loop at a time; what is not certain is refused."""

    def __init__(self, reach: Reach, loaders: Loaders) -> None:
        self.reach = reach
        self.loaders = loaders
        self.seen = reach.seen
        self.knowledge = reach.knowledge
        self.interpreter = reach.interpreter

    def rows(self, loop: Loop) -> Rows:
        for origin in loop.origins:
            loader = self.interpreter.loaders.get(origin)
            if loader is None or loader.argument(6, "collate_fn") is not None:
                raise Refused(
                    "what a batch looks like is not known, for the loader has a `collate_fn` or is not in view"
                )
            if loader.argument(4, "batch_sampler") is not None or loader.argument(1, "batch_size") is None:
                raise Refused("the loader has a batch sampler, and the ranks' batches may be of other sizes")
        return Rows(loop, self.knowledge, bool(self.loaders.device(loop)) or self.on_gpu())

    def on_gpu(self) -> bool:
        return self.seen.device_set or not all(
            self.knowledge.matches("cpu_backend", name) for name in self.seen.backends or {""}
        )

    def sends_through(self, loop: Loop) -> str:
        """The device through which tensors have to be sent, where objects cannot be; else empty."""
        device = self.loaders.device(loop)
        # the program's own batches go to the current device then
        if self.seen.device_set or not self.on_gpu() or device == "'cuda'":
            return ""
        return device or "?"

    def loader_text(self, loop: Loop) -> str:
        text = text_of(source_of(loop.node[3]))
        for node in walk(body_of(loop.scope)):
            if node[0] == "assign" and node[3][0] == "call" and text in [text_of(one) for one in node[2]]:
                # a progress bar around the loader
                text = (
                    text_of(source_of(node[3]))
                    if self.knowledge.matches("progress_word", last_of(node[3][2]))
                    else text
                )
        bound = set().union(*(bound_by(node) for node in walk(loop.node[4])))
        if not text or not loop.direct or loop.wrapped or text.partition(".")[0] in bound:
            raise Refused("the loader, whose dataset says how many samples there are, has no name after the loop")
        return text

    def common(self, use: Use, loop: Loop, moved: list[str]) -> dict[str, str]:
        """What both codemods are told; `moved` are names of tensors that are not on the CPU."""
        through = self.sends_through(loop)
        device = self.loaders.device(loop) if moved else ""
        if moved and not device:
            raise Refused("the device of what is collected, to which all ranks' values have to go back, is not in view")
        if through == "?":
            raise Refused(NO_DEVICE)
        return {
            "count": "",
            "device": device,
            "moved": " ".join(moved),
            "through": through,
            "single": "" if self.loaders.always_distributed(use) else "yes",
        }

    def callers_fit(self, loop: Loop, names: set[str]) -> None:
        """Refuse where callers reduce again, or divide what they get by this rank's number of batches."""
        function = loop.scope.function
        if function is None:
            return
        returned = [node[2] for node in walk(function.body) if node[0] == "return" and node[2] is not None]
        bare = any(names & {one[2] for one in walk(value) if one[0] == "name"} for value in [returned])
        for body in self.reach.callers_without_collectives(function):
            lengths = [
                inner
                for node in walk(body)
                if node[0] == "bin"
                for inner in walk([node])
                if inner[0] == "call" and last_of(inner[2]) == "len" and inner[3]
            ]
            if bare and any(self.knowledge.matches("loader_word", last_of(one[3][0])) for one in lengths):
                raise Refused(f"a caller of `{function.name}` divides by a length, which may be this rank's own")

    def fits(self, after: list[Node], source: Node) -> None:
        """Refuse where what follows computes with the number of batches or ranks."""
        for node in [one for one in walk(after) if one[0] == "bin"]:
            for inner in walk([node]):
                if inner[0] == "call" and last_of(inner[2]) == "len" and spelled(inner[3]) == spelled([source]):
                    raise Refused("a number is divided by the number of batches of one rank")
                if inner[0] == "name" and self.knowledge.matches("world_size_word", inner[2]):
                    raise Refused("a number after the loop is computed with the number of ranks already")

    def guarded_fills(self, loop: Loop, where: Where) -> list[Node]:
        """The calls by which rank 0 alone fills lists that are read after a loop."""
        path, reads = loop.scope.module.path, first_reads(self.reach.after(where), set())
        found: list[Node] = []
        for branch in [one for one in walk(loop.node[4]) if one[0] == "if"]:
            calls = [one for one in walk(branch[3]) if one[0] == "call"]
            if any((path, one[1]) in self.seen.guarded for one in calls):
                fills = [
                    one for one in calls if one[2][0] == "attr" and self.knowledge.matches("fills_list", one[2][3])
                ]
                found += [one for one in fills if text_of(one[2][2]) in reads]
        return found


class Gathering:
    """A repair that gathers: what it has at hand."""

    def __init__(self, gather: Gather) -> None:
        self.gather = gather
        self.reach = gather.reach
        self.loaders = gather.loaders
        self.seen = gather.seen
        self.knowledge = gather.knowledge


def unconditional(block: list[Node]) -> list[Node]:
    """The statements of a block that are always carried out."""
    found: list[Node] = []
    for statement in block:
        found += unconditional(statement[3]) if statement[0] == "with" else [statement]
    return found


def bound_by(node: Node) -> set[str]:
    """The names that one statement or expression binds, additions included."""
    return stored_by(node) | (target_names(node[2]) if node[0] == "aug" else set())
