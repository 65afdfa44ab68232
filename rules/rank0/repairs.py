"""What can be done about an evaluation of one rank's shard: the choice of the repair."""

from __future__ import annotations

from ddplint.facts.nodes import Node, last_of, text_of, walk
from ddplint.findings import Action, Fix
from ddplint.flow.run import Run
from ddplint.rules.base import span_of
from ddplint.rules.rank0.accelerate import Accelerated
from ddplint.rules.rank0.collected import Collected
from ddplint.rules.rank0.fed import Fed
from ddplint.rules.rank0.gather import Gather
from ddplint.rules.rank0.loaders import Loaders
from ddplint.rules.rank0.meters import Meters
from ddplint.rules.rank0.reach import Reach, Where
from ddplint.rules.rank0.seen import Loop, Plan, Seen, Use, outer_call
from ddplint.rules.rank0.sums import Sums
from ddplint.rules.repairs import Refused
from ddplint.rules.statements import source_of


class Repairs:
    """Chooses the repair of a finding, or says why there is none."""

    def __init__(self, seen: Seen, run: Run) -> None:
        self.seen = seen
        self.knowledge = seen.knowledge
        self.interpreter = run.interpreter
        self.reach = Reach(seen, run)
        self.loaders = Loaders(self.reach)
        self.sums = Sums(self.reach, self.loaders)
        gather = Gather(self.reach, self.loaders)
        self.collected = Collected(gather)
        self.fed = Fed(gather)
        self.meters = Meters(gather)
        self.accelerated = Accelerated(self.reach, self.sums)

    def of(self, uses: list[Use], alone: bool) -> tuple[Fix | None, str]:
        """The fix of a finding and of all further uses of its loader's numbers, or why there is none."""
        plan: Plan | None = None
        try:
            for use in {(one.at, one.logs): one for one in uses}.values():
                made = self._logged(use) if use.logs else self._looped(use, uses, alone)
                if plan is None:
                    plan = made
                    continue
                plan.actions += [one for one in made.actions if one not in plan.actions]
                plan.reasons += made.reasons
        except Refused as reason:
            return None, str(reason)
        return (plan.fix(), "") if plan is not None else (None, "the number's use is not in view")

    def _logged(self, use: Use) -> Plan:
        """`sync_dist=True`: the number is reduced where it is logged, so all ranks have to get there."""
        call, scope = use.node, use.scope
        if use.metric:
            raise Refused("a metric object synchronises itself: it has to be logged as it is, without `sync_dist`")
        if scope.guards:
            raise Refused(
                "the call stands where one rank alone gets, and `sync_dist=True` would wait for the others there"
            )
        where = self.reach.where(scope.module, call[1])
        if where is None or scope.function is None:
            raise Refused("the code around the call is not in view")
        self.reach.reached_alike(where, scope)
        if not self.knowledge.matches("evaluation_hook", scope.function.name):
            self.reach.callers_alike(scope.function, where.module, scope)
        value = call[3][1] if len(call[3]) > 1 else next((one for name, one in call[4] if name == "value"), None)
        if value is not None and self._on_cpu(value, scope.function.body):
            raise Refused("the value was moved to the CPU, where NCCL cannot reduce it")
        span = span_of(scope.module.path, call[1])
        actions = []
        if any(name == "rank_zero_only" for name, _ in call[4]):
            actions.append(Action("drop-keyword", span, (("name", "rank_zero_only"),)))
        actions.append(Action("set-keyword", span, (("name", "sync_dist"), ("value", "True"))))
        plan = Plan(actions, "reduce the logged number over all ranks with `sync_dist=True`")
        if self.knowledge.matches("epoch_end_hook", scope.function.name):
            plan.reasons.append(
                "the mean of the ranks' numbers is that of all samples only if each is a mean over as many samples"
            )
        return plan

    def _on_cpu(self, value: Node, body: list[Node]) -> bool:
        """Whether an expression ends in a tensor on the CPU, also through one name."""
        if value[0] == "name":
            bound = [
                node[3]
                for node in walk(body)
                if node[0] == "assign" and ["name", value[2]] in [one[::2] for one in node[2]]
            ]
            return any(one[0] != "name" and self._on_cpu(one, body) for one in bound)
        if value[0] != "call" or value[2][0] != "attr":
            return False
        alike = any(self.knowledge.matches(one, value[2][3]) for one in ("same_kind", "sums_up"))
        return value[2][3] == "cpu" or (alike and self._on_cpu(value[2][2], body))

    def _looped(self, use: Use, uses: list[Use], alone: bool) -> Plan:
        loop = self._loop_of(use)
        prepared = self.loaders.prepared(loop)
        if use.metric:
            return self._metric(use)
        moved = self._moved_out(use, loop, alone) if alone or loop.guarded else None
        exempt = moved[1] if moved is not None else None
        where = self.reach.where(loop.scope.module, loop.node[1])
        if where is None:
            raise Refused("the loop over the loader is not in view")
        if loop.node[0] == "for":
            # the flow's bodies may have been let go of: from here on, one tree
            loop.node = where.around[-1][2]
        self.reach.reached_alike(where, loop.scope)
        if loop.scope.function is not None:
            self.reach.callers_alike(
                loop.scope.function, where.module, loop.scope, exempt, use.guard is not None and moved is None
            )
        self.reach.no_errors_swallowed(loop)
        if loop.whole:
            raise Refused(
                "the same loop also runs over a loader that is not sharded, whose numbers would count once per rank"
            )
        plan = self.accelerated.plan(loop, where) if prepared else self._numbers(use, uses, loop, where)
        if loop.origins & self.seen.trained:
            plan.reasons.append("the same loop serves training, whose numbers become those of all ranks, too")
        if moved is not None:
            plan.actions.insert(0, moved[0])
            plan.message = f"evaluate on every rank, {plan.message}"
            plan.reasons.insert(0, "every rank now runs the evaluation, so whatever else it does happens on every rank")
        return plan

    def _numbers(self, use: Use, uses: list[Use], loop: Loop, where: Where) -> Plan:
        """What has to happen to all that a loop leaves behind: collected values, and sums."""
        if loop.node[0] != "for":
            return self.collected.comprehension(use, loop, where)
        branches = self.fed.branches(uses, loop, where)
        meters = self.meters.meters(loop, where)
        lists = self.collected.lists(loop, where)
        plans = [self.fed.plan(use, loop, where, branch) for branch in branches]
        if lists:
            plans.append(self.collected.filled(use, loop, where, lists))
        if meters:
            plans.append(self.meters.plan(use, loop, where, meters))
        seen_to = frozenset([*lists, *(one.name for one in meters)])
        if not plans or self.sums.read_after(loop, where, branches, seen_to):
            plans.append(self.sums.plan(use, loop, where, seen_to))
        first, *others = plans
        for other in others:
            first.actions += other.actions
            first.reasons += other.reasons
            first.message += f"; {other.message}"
        return first

    def _loop_of(self, use: Use) -> Loop:
        loops = [one for one in self.seen.loops.values() if one.origins & use.tag.origins and self._over_loader(one)]
        if any(isinstance(origin, str) for origin in use.tag.origins):
            raise Refused(
                "the trainer runs the loop, and what its hooks collect has to be gathered in them: how many samples "
                "there are without the padding is not in view"
            )
        if not loops:
            raise Refused("no loop over the loader is in view")
        # of several loops, the one on the way that the value took
        paths = {(step.path, step.position) for step in use.tag.steps}
        own = [
            one for one in loops if one.scope.function is use.scope.function and one.scope.module is use.scope.module
        ]
        own = own or [one for one in loops if self._returns_to(one, paths)]
        chosen = own or loops
        if len({(one.scope.module.path, one.node[1]) for one in chosen}) > 1:
            raise Refused("several loops go over the loader, and it is not known which of them gives this number")
        return chosen[0]

    def _over_loader(self, loop: Loop) -> bool:
        """Whether a loop goes over a loader and not over values that were made of its batches."""
        if loop.node[0] != "for" or loop.direct:
            return True
        source = text_of(source_of(loop.node[3]))
        function = loop.scope.function
        place = (loop.scope.module.path, function.position if function is not None else 0)
        return bool(
            self.knowledge.matches("source_of_batches", source.rpartition(".")[2])
        ) and source not in self.seen.varying.get(place, ())

    def _returns_to(self, loop: Loop, paths: set[tuple[str, int]]) -> bool:
        function = loop.scope.function
        return function is not None and any(id(function) in self.seen.targets.get(place, ()) for place in paths)

    def _moved_out(self, use: Use, loop: Loop, alone: bool) -> tuple[Action, tuple[str, int]]:
        """The move of an evaluating call out of the branch of rank 0; refused unless it comes first there."""
        calls = self.seen.guarded_calls
        found = next((calls[step[:2]] for step in use.tag.steps if step[:2] in calls), None)
        if found is None or loop.scope.function is None:
            if not alone:
                raise Refused("another call of the evaluation stands where rank 0 alone gets")
            if outer_call(use) is not None:
                raise Refused(
                    "the evaluation, which rank 0 alone calls, reports its numbers itself: on all ranks, each would"
                )
            raise Refused("rank 0 alone runs the loop over its shard, and the loop stands in the guarded branch itself")
        scope, call = found
        where = self.reach.where(scope.module, call[1])
        if where is None or len(where.around) < 2:
            raise Refused("the guard is no branch around the evaluating call")
        block, index, statement = where.around[-1]
        branch = where.around[-2][2]
        if branch[0] != "if" or block is not branch[3] or branch[4] or branch[2][0] == "bool" or len(scope.guards) != 1:
            raise Refused("the evaluating call stands under more than the test for rank 0")
        outer = where.around[-2]
        elif_ = len(where.around) > 2 and where.around[-3][2][0] == "if" and outer[0] is where.around[-3][2][4]
        if index != 0 or elif_ or statement[0] != "assign" or statement[3][1] != call[1]:
            raise Refused("the evaluating call is not what the branch of rank 0 begins with, so it cannot be moved out")
        if len(block) < 2:
            raise Refused("nothing but the evaluating call stands in the branch of rank 0")
        for facts in self.seen.targets.get((scope.module.path, call[1]), {}).values():
            for node in walk(facts.body):
                if node[0] == "call" and self.knowledge.matches("writes_something", last_of(node[2])):
                    raise Refused(
                        f"`{facts.name}` writes something (`{last_of(node[2])}`), which then every rank would do"
                    )
        span = span_of(scope.module.path, statement[1])
        return Action("move-before-branch", span), (scope.module.path, call[1])

    def _metric(self, use: Use) -> Plan:
        """A metric object that rank 0 alone updates: every rank does, where nothing else stands under the guard."""
        where = self.reach.where(use.scope.module, use.node[1])
        if where is None or len(where.around) < 2:
            raise Refused("the guard is no branch around the update")
        block, _, statement = where.around[-1]
        branch = where.around[-2][2]
        alone = (
            branch[0] == "if" and block is branch[3] and len(block) == 1 and not branch[4] and branch[2][0] != "bool"
        )
        if not alone or statement[0] != "expr" or len(use.scope.guards) != 1:
            raise Refused("more than the update of the metric stands under the guard")
        receiver = text_of(use.node[2][2])
        inside = {node[1] for node in walk([branch])}
        computed = [
            (call, other)
            for call, other in (
                (node, self.reach.where(use.scope.module, node[1])) for node in walk(self._whole(where))
            )
            if call[0] == "call"
            and call[2][0] == "attr"
            and call[2][3] == "compute"
            and text_of(call[2][2]) == receiver
            and call[1] not in inside
        ]
        if not receiver or not computed:
            raise Refused(
                "where the metric is computed is not in view, and `compute` is a collective that all ranks have to call"
            )
        for _, other in computed:
            if other is not None:
                self.reach.reached_alike(other, use.scope)
        outer = Where(where.module, where.function, where.around[:-1])
        self.reach.reached_alike(Where(outer.module, outer.function, outer.around), use.scope)
        return Plan(
            [Action("drop-branch", span_of(use.scope.module.path, branch[1]))],
            "update the metric on every rank: `compute` synchronises it",
        )

    def _whole(self, where: Where) -> list[Node]:
        return where.function.body if where.function is not None else where.module.statements()
