"""How loaders share the samples out among the ranks, and on which device their batches are."""

from __future__ import annotations

from ddplint.facts.nodes import Node, text_of, walk
from ddplint.flow.values import Made
from ddplint.rules.rank0.reach import Reach
from ddplint.rules.rank0.seen import Loop, Use
from ddplint.rules.repairs import Refused
from ddplint.rules.scopes import body_of
from ddplint.rules.statements import names_of, stored_by, target_names

SHARES = "how the ranks share the samples out is not in view, so some may count more than once"


class Loaders:
    """The loaders that a number comes from."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self.seen = reach.seen
        self.knowledge = reach.knowledge
        self.interpreter = reach.interpreter

    def sampling(self, use: Use) -> list[str]:
        """What is not known of how the samples are shared out; refused where the ranks may be of several groups."""
        reasons: list[str] = []
        if any(self.knowledge.matches("other_process_group", name) for name in self.seen.groups):
            raise Refused("the processes are Horovod's, and the fix reduces with torch.distributed")
        if not any(self.knowledge.matches("torch_process_group", name) for name in self.seen.groups):
            raise Refused("no process group of torch.distributed is in view")
        for sampler in self.samplers(use):
            if sampler is None:
                if not self.split_by_node(use):
                    reasons.append(SHARES)
                continue
            last = sampler.argument(5, "drop_last")
            if last is not None and last.constant is not False:
                reasons.append("the sampler drops the last samples (`drop_last`), which stay unevaluated")
            names = " ".join(self.sampler_words(sampler))
            if self.knowledge.matches("process_subgroup", names):
                raise Refused(
                    "the sampler shares out among the ranks of a group of its own, and the fix adds up over all ranks"
                )
            if sampler.argument(1, "num_replicas") is not None and not self.knowledge.matches("world_size_word", names):
                reasons.append("the sampler's `num_replicas` may not be the number of all ranks")
        return reasons

    def sampler_words(self, sampler: Made) -> list[str]:
        node = self.reach.node_at(sampler.place)
        if node is None or node[0] != "call":
            return []
        given = [*node[3][1:3], *(one for name, one in node[4] if name in ("num_replicas", "rank"))]
        return [word for one in given for word in names_of(one)]

    def samplers(self, use: Use) -> list[Made | None]:
        """The distributed samplers of the loaders that a number comes from; None for a loader that has none."""
        found: list[Made | None] = []
        for origin in use.tag.origins:
            loader = self.interpreter.loaders.get(origin)
            maker = self.knowledge.call(loader.name) if loader is not None else None
            given = (
                loader.argument(maker.argument_index("sampler"), "sampler")
                if loader is not None and maker is not None
                else None
            )
            made = [one.shape for one in given.options() if isinstance(one.shape, Made)] if given is not None else []
            own = [one for one in made if self.interpreter.is_kind(one.name, "sharded-sampler")]
            found += own or [None]
        return found

    def shuffled(self, use: Use) -> bool:
        """Whether a sampler may draw its samples in another order than the dataset's."""
        given = [one.argument(3, "shuffle") if one is not None else None for one in self.samplers(use)]
        return not all(one is not None and one.constant is False for one in given)

    def take_turns(self, use: Use) -> bool:
        """Whether the ranks have equally many samples for sure, one after the other in the sampler's order."""
        if self.split_by_node(use):
            return False
        names = [one.name if one is not None else "" for one in self.samplers(use)]
        return bool(names) and all(
            self.knowledge.matches("strided_sampler", self.knowledge.canonical(name)) for name in names
        )

    def split_by_node(self, use: Use) -> bool:
        return use.tag.detail == "by node"

    def prepared(self, loop: Loop) -> bool:
        """Whether accelerate shares out what the loop goes over."""
        loaders = [self.interpreter.loaders.get(origin) for origin in loop.origins]
        return any(one is not None and "<sharded>" in one.attributes for one in loaders)

    def always_distributed(self, use: Use) -> bool:
        """Whether there is a process group for sure where the number is computed."""
        samplers = self.samplers(use)
        # a DistributedSampler that is told nothing asks the group itself
        asking = [one for one in samplers if one is not None and one.argument(1, "num_replicas") is None]
        every = bool(asking) and len(asking) == len(samplers) and not use.tag.conditions
        if every and not any(self.reach.conditional(one.place) for one in asking):
            return True
        for places in self.seen.groups.values():
            if any(root == use.scope.root and not any(map(self.reach.conditional, way)) for root, way in places):
                return True
        return False

    def device(self, loop: Loop) -> str:
        """Code for the device to which a loop's batches are moved; empty where none is in view."""
        body: list[Node] = loop.node[4]
        stored: set[str] = set()
        if loop.node[0] == "for":
            stored = target_names(loop.node[2]).union(*(stored_by(node) for node in walk(body)))
        else:
            body = [loop.node[3], *body]
            stored = set().union(*(target_names(one[0]) for one in loop.node[4]))
        found = self.moves(body, stored)
        if not found:
            for node in walk(body):
                if node[0] == "call":
                    for facts in self.seen.targets.get((loop.scope.module.path, node[1]), {}).values():
                        bound = node[2][0] == "attr" and text_of(node[2][2]) == "self"
                        moves = self.moves(facts.body, set())
                        found = found or (moves if moves == "'cuda'" or (bound and moves.startswith("self.")) else "")
        function = loop.scope.function
        if not found:
            found = self.moves(body_of(loop.scope), stored)
        if not found and function is not None and any(row[0] == "device" for row in function.parameters):
            found = "device"
        return found

    def moves(self, body: list[Node], stored: set[str]) -> str:
        """Where tensors are moved to in some statements: code for a device."""
        for node in walk(body):
            if node[0] != "call" or node[2][0] != "attr" or not self.knowledge.matches("moves_to_device", node[2][3]):
                continue
            given = node[3][0] if node[3] else next((one for name, one in node[4] if name == "device"), None)
            if given is None:
                if node[2][3] == "cuda":
                    return "'cuda'"
                continue
            if given[0] == "const" and isinstance(given[2], str) and given[2].startswith("cuda"):
                return repr(given[2])
            if node[2][3] == "cuda" and self.seen.device_set:
                return "'cuda'"
            text = text_of(given)
            # `.cuda(args.gpu)` may mean no device in particular
            named = node[2][3] == "to" or ("rank" in text and "gpu" not in text)
            if text and named and self.knowledge.matches("device_word", text) and text.partition(".")[0] not in stored:
                return text
        return ""


def device_of_module(body: list[Node]) -> str:
    """Code for the device of the module that some statements put into evaluation mode; empty where there is none."""
    for node in walk(body):
        if node[0] == "call" and node[2][0] == "attr" and node[2][3] == "eval" and not node[3] and not node[4]:
            module = text_of(node[2][2])
            if module:
                return f"next({module}.parameters()).device"
    return ""
