"""Root-relative joints centred again

## What it does
Reports joints that have a joint of theirs (or the middle of some) subtracted and, further along the same value's
path, again: in the data set and in the loss, in a body model and in the metric, in a base class and in the class that
inherits from it. The finding is at the second subtraction.

## Why it is a bug
Centring at the same root twice changes nothing, bit for bit; at another root the second replaces the first, which is
harmless as long as prediction and truth are treated alike. It is wrong where the two sides end at different roots (an
offset per sample: 185 mm in a toy), where a root taken before the first subtraction is subtracted once more, where
the first subtraction left the root's own slot absolute, or where invisible joints got a marker value in between, so
that an invisible root shifts all the others.

## Example
```python
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def joint_loss(pred_joints, gt_joints):
    pred_joints = pred_joints - pred_joints[:, :1]
    gt_joints = gt_joints - gt_joints[:, :1]
    return F.l1_loss(pred_joints, gt_joints)


def main():
    loader = DataLoader(TensorDataset(torch.rand(64, 512), torch.rand(64, 21, 3)), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(512, 63), nn.Unflatten(1, (21, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for feature, joints in loader:
        joints = joints - joints[:, :1]
        loss = joint_loss(model(feature), joints)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
```

## Instead
```python
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def joint_loss(pred_joints, gt_joints):
    pred_joints = pred_joints - pred_joints[:, :1]
    return F.l1_loss(pred_joints, gt_joints)


def main():
    loader = DataLoader(TensorDataset(torch.rand(64, 512), torch.rand(64, 21, 3)), batch_size=16, shuffle=True)
    model = nn.Sequential(nn.Linear(512, 63), nn.Unflatten(1, (21, 3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    for feature, joints in loader:
        joints = joints - joints[:, :1]
        loss = joint_loss(model(feature), joints)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


if __name__ == "__main__":
    main()
```

## Not reported
Another key or tensor of the same data set; parts re-rooted at a joint of their own (hands at the wrist, a face at the
neck); bones and offsets to parents; Procrustes alignment and standardising, which subtract a mean of all joints;
joints that a network, a regressor or a projection computed from centred ones; joints to which a root was added back,
or that are moved to another root in the same expression.

## Fix safety
Where the root is provably the same joint, the second subtraction is dropped and nothing else changes. It is unsafe
where the root is the middle of several joints, whose values change by rounding, and where the second subtraction did
harm. There is no fix where joints come to the same place that nothing has centred before (a helper or base class that
several callers share, a data set mixed in, a setting), or where the centred joints are changed in place later. Where
the roots differ, the later one decides what a loss or metric measures, and the earlier one has other readers: no edit
is right without knowing which was meant.

## References
- https://github.com/eth-ait/emdb/issues/3 (different roots are a question of protocol)
- https://github.com/Arthur151/ROMP/issues/207 (which root a metric is aligned at)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ddplint.findings import Action, Fix, Severity
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, Scope, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import OPAQUE, Const, Elements, Entries, Instance, Items, Made, Part, Place, Tag, Union, Value
from ddplint.program.program import FunctionFacts
from ddplint.rules.base import Check, Rule, span_of

if TYPE_CHECKING:
    import libcst as cst

    from ddplint.rewriting import FileRewriter

Site = tuple[str, int]

# how a second centring relates to the first
SAME = "same"
OTHER = "other"
UNKNOWN = "unknown"

_DROP = "drop-centring"
_TITLE = "Drop the second centring"


@dataclass(slots=True)
class _Again:
    """A second centring: of what, at which roots, what makes it more than redundant, and what a fix needs to know.

    `argument` is the position of what a centring helper is called with, where that call is what is dropped.
    """

    path: str
    node: list[Any]
    trace: tuple[Place, ...]
    first: str
    second: str
    relation: str
    harm: str = ""
    earlier: frozenset[Site] = frozenset()
    in_place: bool = False
    where: tuple[str, int] = ("", 0)
    argument: tuple[int, str] | None = None
    refusal: str = ""
    caution: str = ""
    loaders: frozenset[int] | None = None


class DuplicateRootCenteringCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.found: dict[Site, _Again] = {}
        self.of_joints: dict[Site, bool] = {}
        self.kept: set[Site] = set()
        self.marked: dict[Site, Place] = {}
        # subtractions, and calls of the functions that hold them, that also get joints which nothing centred before
        self.uncentred: set[Site] = set()
        # centred values that are written in place later on, with the functions that do it
        self.written: defaultdict[Site, set[tuple[str, int]]] = defaultdict(set)
        # objects that run a centring, and whether the items that an object gives are centred
        self.centring: defaultdict[Site, set[int]] = defaultdict(set)
        self.given: dict[int, bool] = {}

    # centring

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        left, right = event.left, event.right
        if event.in_place:
            self._write(left, event.scope)
        if event.operator == "+":
            self._moved(event)
        if event.operator != "-":
            return None
        if not isinstance(left.shape, OPAQUE) or not isinstance(right.shape, OPAQUE):
            return None
        earlier = left.tags.get("rooted")
        if earlier is not None and not reachable(earlier, event.scope):
            earlier = None
        if earlier is None and isinstance(right.shape, Part):
            self.uncentred.add((event.scope.module.path, event.node[1]))
            self.uncentred.update(caller[:2] for caller in event.scope.callers[-1:])
        if not isinstance(right.shape, Part):
            if earlier is not None and "rooted" in right.tags:
                self._compare(earlier, right.tags["rooted"])
            return None
        # the mean of all joints is no joint: standardising and Procrustes alignment subtract it
        root = "" if right.identity == left.identity else _root(right.shape)
        if not root:
            if earlier is not None and "rooted" in right.tags:
                self._compare(earlier, right.tags["rooted"])
            return None
        if self._is_own(left, right.shape):
            return self._centred(event, root, earlier)
        if earlier is not None and ("base", right.shape.base) in earlier.origins:
            self._again(event, earlier, root, SAME, "stale")
        return None

    def _moved(self, event: BinaryEvent) -> None:
        """`x - x[:, :1] + y`, or the root added again: joints that were moved, or centred for a while."""
        path = event.scope.module.path
        nodes = (event.node[3], event.node[4]) if event.node[0] == "bin" else (event.node[2], event.node[4])
        for node, one, other in ((nodes[0], event.left, event.right), (nodes[1], event.right, event.left)):
            if node[0] == "bin" and not isinstance(other.shape, Const):
                self.found.pop((path, node[1]), None)
            tag = one.tags.get("rooted")
            if tag is not None and isinstance(other.shape, Part) and ("base", other.shape.base) in tag.origins:
                for site in _sites(tag):
                    if site in self.found and self.found[site].where == _where(event.scope):
                        del self.found[site]

    def _is_own(self, left: Value, root: Part) -> bool:
        """Whether a root was taken from what it is subtracted from."""
        family = {left.identity}
        if isinstance(left.shape, Part):
            part = _joint_axis(left.shape.index)
            if _picks_one(left.shape.index):
                return False
            if root.base == left.shape.base and part and not _is_slice(part) and "+" not in part:
                # two selections of one kind: frames or samples compared with each other
                return False
            family |= {left.shape.base, *left.shape.above}
        family.discard(0)
        return root.base in family or any(one == left.identity and one for one in root.above)

    def _centred(self, event: BinaryEvent, root: str, earlier: Tag | None) -> Value | None:
        left, right = event.left, event.right
        assert isinstance(right.shape, Part)
        if event.in_place and isinstance(left.shape, Part) and "+" in _joint_axis(left.shape.index):
            # some joints made relative to another in place: the rest stays as it was
            return None
        site = (event.scope.module.path, event.node[1])
        self.of_joints.setdefault(site, self._mentions_joints(event))
        subset = left.shape.index if isinstance(left.shape, Part) and right.shape.base == left.identity else ""
        absolute = _in_whole(root, subset)
        if earlier is not None:
            relation = SAME if absolute == earlier.detail else OTHER
            if relation == OTHER and (self._is_part(event, subset) or _roots_of(earlier) > {earlier.detail}):
                return None
            self._again(event, earlier, absolute or root, relation, self._harm(earlier))
        if isinstance(left.shape, Part) and _leaves_out(left.shape.index, root):
            self.kept.add(site)
        place = Place(*site, f"centred at joint {_spoken(root)}")
        if event.scope.instance is not None:
            self.centring[site].add(id(event.scope.instance.shape))
        bases = {("base", right.shape.base)}
        tag = Tag(
            (place,), event.scope.conditions, frozenset([("at", *site, absolute or root), *bases]), absolute or root
        )
        result = event.result
        tags = {name: one for name, one in result.tags.items() if name != "rooted"}
        return Value(result.shape, {**tags, "rooted": tag}, result.conditions, result.identity)

    def _harm(self, earlier: Tag) -> str:
        for site in _sites(earlier):
            if site in self.marked:
                return "marker"
            if site in self.kept:
                return "slot"
        return ""

    def _is_part(self, event: BinaryEvent, subset: str) -> bool:
        """Whether what is centred is a part of the body with a root of its own."""
        if subset and _numbers(subset):
            return True
        texts = [subset, *_names(event.node[3]), *_names(event.node[4])]
        return any(self.knowledge.matches("body_part", text) for text in texts)

    def _again(self, event: BinaryEvent, earlier: Tag, root: str, relation: str, harm: str) -> None:
        scope = event.scope
        path, node = scope.module.path, event.node
        sites = _sites(earlier)
        argument: tuple[int, str] | None = None
        where, refusal = _where(scope), ""
        if (path, node[1]) in sites:
            # one helper centres twice: the second call is where it happens again
            if relation != SAME or len(earlier.steps) < 2:
                return
            if not scope.callers or any(scope.callers[-1][:2] == step[:2] for step in earlier.steps):
                return
            caller = scope.callers[-1]
            path, node = caller.path, ["call", caller.position]
            where = (path, -1)
            argument = _centred_argument(event)
            if argument is None:
                refusal = "the function that centres again does more than that"
        if not self._mentions_joints(event) and not any(self.of_joints.get(site) for site in sites):
            return
        here = Place(path, node[1], f"centred again at joint {_spoken(root)}")
        found = _Again(path, node, (*earlier.steps, here), earlier.detail, root, relation, harm)
        found.earlier, found.where, found.argument = frozenset(sites), where, argument
        found.in_place = event.in_place
        batch = event.left.tags.get("batch")
        if batch is not None and all(isinstance(origin, int) for origin in batch.origins):
            found.loaders = batch.origins
        found.refusal = refusal or self._doubt(event, earlier, root)
        if "+" in root:
            found.caution = "the middle of several joints is zero after the first centring only up to rounding"
        elif isinstance(event.left.shape, Part) and _joint_axis(event.left.shape.index).startswith("@"):
            found.caution = "whether what is selected in between still has that root in its place is not visible"
        if harm == "marker":
            marker = next((self.marked[site] for site in sites if site in self.marked), None)
            if marker is not None:
                found.trace = (*earlier.steps, marker, here)
        known = self.found.get((path, node[1]))
        if known is None or (harm and not known.harm):
            self.found[(path, node[1])] = found
        if known is not None:
            kept = self.found[(path, node[1])]
            kept.refusal = known.refusal or found.refusal
            kept.caution = known.caution or found.caution
            kept.earlier = known.earlier | found.earlier
            kept.loaders = known.loaders | found.loaders if known.loaders and found.loaders else None
            if (known.relation, known.harm) != (found.relation, found.harm):
                kept.refusal = kept.refusal or "joints that were centred in different ways come here"

    def _doubt(self, event: BinaryEvent, earlier: Tag, root: str) -> str:
        """Why it is not certain that all that comes here is centred at one root."""
        if earlier.conditions - event.scope.conditions:
            return "the first centring depends on a setting, and without it the second is needed"
        if len(_roots_of(earlier)) > 1:
            return "joints that are relative to different roots come here"
        return ""

    def _write(self, value: Value, scope: Scope) -> None:
        tag = value.tags.get("rooted")
        for site in _sites(tag) if tag is not None else ():
            self.written[site].add(_where(scope))

    def _mentions_joints(self, event: BinaryEvent) -> bool:
        function = event.scope.function
        texts = [*_names(event.node[3] if event.node[0] == "bin" else event.node[2]), *_names(event.node[4])]
        if function is not None:
            texts += [function.name, *function.qualname.split(".")]
        return any(self.knowledge.matches("joint_word", text) for text in texts)

    # what happens between and after

    def on_assign(self, event: AssignEvent) -> None:
        if event.owner is None:
            return
        tag = event.owner.tags.get("rooted")
        self._write(event.owner, event.scope)
        if tag is None or not isinstance(event.value.shape, Const):
            return
        marker = event.value.constant
        if isinstance(marker, (int, float)) and not isinstance(marker, bool) and marker != 0:
            place = Place(event.scope.module.path, event.node[1], f"some joints are set to {marker}")
            for site in _sites(tag):
                self.marked.setdefault(site, place)

    def on_return(self, event: ReturnEvent) -> None:
        function, instance = event.scope.function, event.scope.instance
        if function is not None and instance is not None and function.name in ("__getitem__", "__iter__"):
            key = id(instance.shape)
            self.given[key] = self.given.get(key, True) and _holds_centred(event.value)

    def on_call(self, event: CallEvent) -> None:
        if event.effect is None and event.arguments and "rooted" not in event.arguments[0].tags:
            self.uncentred.add((event.scope.module.path, event.node[1]))
        if event.receiver is not None and event.node[2][0] == "attr" and _is_in_place(event.node[2][3]):
            self._write(event.receiver, event.scope)
        if event.effect is None or "regression-loss-call" not in event.effect.kinds:
            return
        one, other = event.argument(0, "input"), event.argument(1, "target")
        if one is None or other is None:
            return
        left, right = one.tags.get("rooted"), other.tags.get("rooted")
        if left is not None and right is not None:
            self._compare(left, right)

    def on_call_result(self, event: CallEvent) -> Value | None:
        """The mean of some joints is a root as one joint is."""
        effect = event.effect
        if effect is None or "mean-reduction" not in effect.kinds:
            return None
        value = event.receiver if event.receiver is not None else event.argument(0, "input")
        if value is None or not isinstance(value.shape, Part):
            return None
        index = 0 if event.receiver is not None else 1
        if event.argument(index, "dim") is None and event.argument(index, "axis") is None:
            return None
        shape = value.shape
        if not _joint_axis(shape.index):
            return None
        return Value(
            Part(shape.base, shape.index + "~mean", shape.above),
            event.result.tags,
            event.result.conditions,
            value.identity,
        )

    def _compare(self, one: Tag, other: Tag) -> None:
        """Prediction and truth meet: both ought to be at the same root."""
        roots = _roots_of(one), _roots_of(other)
        if len(roots[0]) != 1 or len(roots[1]) != 1 or roots[0] == roots[1]:
            return
        if not all(_known(root) for sides in roots for root in sides):
            return
        for site in (*_sites(one), *_sites(other)):
            found = self.found.get(site)
            if found is not None and not found.harm:
                found.harm = "sides"

    def finish(self, run: Run) -> None:
        for found in self.found.values():
            severity: Severity = "error" if found.harm else "note"
            reason = self._refusal(found, run)
            fix = None if reason else _fix(found)
            self.report(found.path, found.node, _message(found), found.trace, severity, fix=fix, no_fix_reason=reason)

    def _refusal(self, found: _Again, run: Run) -> str:
        """Why the second centring cannot simply go, or nothing."""
        if found.harm == "slot":
            return (
                "the root's own joint is still absolute after the first centring, and what else reads it there is not"
                " visible"
            )
        if found.harm == "sides" or found.relation == OTHER:
            return "which of the two roots was meant is not visible, and the earlier centring has other readers"
        here = (found.path, found.node[1])
        if here in self.uncentred:
            return "joints that nothing has centred before come here too, and those need it"
        if found.refusal:
            return found.refusal
        if not self._all_centred(found, run):
            return "other data sets are mixed into the same batches, and those do not centre their joints"
        ours = any(found.where in self.written[site] for site in found.earlier)
        if not found.in_place and not found.harm and (ours or self.written[here]):
            return "the centred joints are changed in place, which must not reach the joints that they were made from"
        return ""

    def _all_centred(self, found: _Again, run: Run) -> bool:
        """Whether every data set of the loaders that give these joints centres them."""
        centring = {one for site in found.earlier for one in self.centring[site]}
        for identity, loader in run.interpreter.loaders.items():
            if found.loaders is not None and identity not in found.loaders:
                continue
            sources: set[int] = set()
            for value in (*loader.arguments[:1], *loader.keywords.values()):
                _gather(value, sources, 0)
            sources &= set(self.given)
            if len(sources) > 1 and sources & centring and not all(self.given[one] for one in sources):
                return False
        return True


def _fix(found: _Again) -> Fix:
    arguments = () if found.argument is None else (("index", str(found.argument[0])), ("name", found.argument[1]))
    actions = (Action(_DROP, span_of(found.path, found.node[1]), arguments),)
    if found.harm == "stale":
        reason = "the joints move by the root that is no longer subtracted twice, so what was trained on them changes"
        return Fix("unsafe", _TITLE, actions, reason)
    if found.harm == "marker":
        reason = "where the root is invisible, the other joints keep their values, so what was trained on them changes"
        return Fix("unsafe", _TITLE, actions, reason)
    return Fix("unsafe" if found.caution else "safe", _TITLE, actions, found.caution)


def _where(scope: Scope) -> tuple[str, int]:
    """The function of a scope."""
    return scope.module.path, scope.function.position if scope.function is not None else 0


def _is_in_place(method: str) -> bool:
    return method.endswith("_") and not method.endswith("__")


def _holds_centred(value: Value, depth: int = 0) -> bool:
    if "rooted" in value.tags:
        return True
    shape = value.shape
    parts = list(shape.entries.values()) if isinstance(shape, Entries) else []
    if isinstance(shape, Items):
        parts = shape.items
    return depth < 4 and any(_holds_centred(part, depth + 1) for part in parts)


def _gather(value: Value, found: set[int], depth: int) -> None:
    """The objects that a data set is, holds or views."""
    shape = value.shape
    if depth > 6:
        return
    parts: list[Value] = []
    if isinstance(shape, Union):
        parts = list(shape.options)
    elif isinstance(shape, Items):
        parts = shape.items if shape.rest is None else [*shape.items, shape.rest]
    elif isinstance(shape, Elements):
        parts = [shape.element]
    elif isinstance(shape, Entries):
        parts = list(shape.entries.values())
    elif isinstance(shape, Made):
        parts = shape.arguments
    elif isinstance(shape, Instance) and id(shape) not in found:
        found.add(id(shape))
        parts = list(shape.attributes.values())
    for part in parts:
        _gather(part, found, depth + 1)


def _centred_argument(event: BinaryEvent) -> tuple[int, str] | None:
    """Position and name of the parameter that a function gives back centred, if that is all that it does."""
    function = event.scope.function
    left = event.node[3] if event.node[0] == "bin" else event.node[2]
    if function is None or left[0] != "name":
        return None
    names = [row[0] for row in function.parameters]
    if left[2] not in names or not _only_centres(function, event.node, left[2]):
        return None
    is_method = function.owner is not None and names[0] in ("self", "cls")
    return names.index(left[2]) - is_method, left[2]


def _only_centres(function: FunctionFacts, node: list[Any], name: str) -> bool:
    """Whether a function's body is `return x - root`, with names for the root and the result at most."""
    body = [one for one in function.body if not (one[0] == "expr" and one[2][0] == "const")]
    result = ""
    for statement in body[:-1]:
        if statement[0] == "aug" and statement[1] == node[1] and statement[2][0] == "name":
            result = name
        elif statement[0] == "assign" and len(statement[2]) == 1 and statement[2][0][0] == "name":
            if statement[3][1] == node[1]:
                result = statement[2][0][2]
            elif statement[2][0][2] == name or result:
                return False
        else:
            return False
    if not body or body[-1][0] != "return" or body[-1][2] is None:
        return False
    value = body[-1][2]
    return bool(value[1] == node[1] or (result and value[0] == "name" and value[2] == result))


def _message(found: _Again) -> str:
    first, second = _spoken(found.first), _spoken(found.second)
    if found.harm == "stale":
        return (
            f"joints that are relative to joint {first} already have that root subtracted once more:"
            " every joint is off by the root"
        )
    if found.harm == "slot":
        return (
            f"joints were made relative to joint {first} except for that joint itself, which is still absolute;"
            " subtracting it again moves all the others by the absolute root"
        )
    if found.harm == "marker":
        return (
            f"joints centred at joint {first} got a marker value for invisible ones and are centred again at joint"
            f" {second}: where the root is invisible, the marker is subtracted from all joints; centre once, before the"
            " marker is written"
        )
    if found.harm == "sides":
        return (
            f"the centring at joint {first} is replaced by one at joint {second}, while the other side of the"
            " comparison is centred at another joint: the two differ by an offset per sample"
        )
    if found.relation == SAME:
        return f"joints that are relative to joint {first} already are centred at the same joint again: no effect"
    return (
        f"the centring at joint {first} is replaced by one at joint {second}: harmless as long as prediction and truth"
        " are treated alike, but the first has no effect here"
    )


def _sites(tag: Tag) -> list[Site]:
    return [(origin[1], origin[2]) for origin in tag.origins if origin[0] == "at"]


def _roots_of(tag: Tag) -> set[str]:
    return {origin[3] for origin in tag.origins if origin[0] == "at"}


def _components(index: str) -> list[str]:
    """What an index says of the joints: its parts that are neither whole nor new axes."""
    parts = index.split(",")
    named = [part for part in parts if part not in (":", "...", "None", "")]
    if parts[0] == "..." and named and parts[-1] == named[-1]:
        # the last axis holds coordinates
        named = named[:-1]
    return named


def _joint_axis(index: str) -> str:
    """The part of an index that selects joints, or nothing."""
    named = _components(index)
    if not named:
        return ""
    if len(named) == 1 and _is_slice(named[0]) and index.count(",") >= 2 and index.endswith(named[0]):
        return ""
    return named[0]


def _is_slice(part: str) -> bool:
    return ":" in part


def _root(shape: Part) -> str:
    """The joint or joints that a selection stands for, the same for each spelling of them; empty if it is no root."""
    index, _, averaged = shape.index.partition("~")
    tokens = index.split("+") if "," not in index.partition("+")[2] else _summed_tokens(index)
    joints: list[str] = []
    for token in tokens:
        part = _joint_axis(token)
        if not part:
            return ""
        joints += part.split("+")
    if averaged or len(joints) == 1:
        if not averaged and _is_slice(joints[0]):
            return ""
        return "+".join(sorted(set(joints)))
    # the sum of several selections, halved
    return "+".join(sorted(set(joints))) if len(tokens) > 1 and all("," in one for one in tokens) else ""


def _summed_tokens(index: str) -> list[str]:
    """The selections of which an index is the sum: each has as many parts as the first."""
    return index.split("+")


def _picks_one(index: str) -> bool:
    """Whether a selection is a single joint."""
    part = _joint_axis(index.partition("~")[0])
    return part.lstrip("-").isdigit() and "," in index


def _numbers(text: str) -> list[int]:
    """The joints of a subset that is written out, else none."""
    part = _joint_axis(text)
    items = part.split("+")
    return [int(item) for item in items] if len(items) > 1 and all(item.lstrip("-").isdigit() for item in items) else []


def _in_whole(root: str, subset: str) -> str:
    """A root of a subset by its place in the whole; empty where that is not known."""
    if not subset:
        return root
    part = _joint_axis(subset)
    if not part or part.startswith("@"):
        return root
    numbers = _numbers(subset)
    if not numbers:
        if _is_slice(part):
            return root if part.startswith((":", "0:")) else ""
        return "" if "," in subset else root
    found: list[str] = []
    for item in root.split("+"):
        if not item.isdigit() or int(item) >= len(numbers):
            return ""
        found.append(str(numbers[int(item)]))
    return "+".join(sorted(found))


def _leaves_out(index: str, root: str) -> bool:
    """Whether a selection is all but the root: `x[:, 1:]` and joint 0."""
    part = _joint_axis(index)
    return root == "0" and part.startswith("1:")


def _known(root: str) -> bool:
    return bool(root) and all(item.lstrip("-").isdigit() for item in root.split("+"))


def _spoken(root: str) -> str:
    items = [item for item in root.split("+") if item]
    if not items or any(item.startswith("@") for item in items):
        return "of its own"
    return items[0] if len(items) == 1 else "mean(" + ", ".join(items) + ")"


def _names(node: Any) -> Iterator[str]:
    """Names, attributes and string constants in an expression."""
    if not isinstance(node, list) or not node:
        return
    kind = node[0]
    if kind == "name":
        yield node[2]
    elif kind == "attr":
        yield from _names(node[2])
        yield node[3]
    elif kind == "const":
        if isinstance(node[2], str) and len(node[2]) < 60:
            yield node[2]
    else:
        for part in node if not isinstance(kind, str) else node[2:]:
            yield from _names(part)


class DuplicateRootCentering(Rule):
    code = "DDP301"
    name = "duplicate-root-centering"
    severity = "note"
    words = (frozenset({"pattern:joint_word"}),)
    check = DuplicateRootCenteringCheck

    def rewrite(self, action: Action, file: FileRewriter) -> None:
        if action.kind == _DROP:
            _drop(action, file)
        else:
            super().rewrite(action, file)


def _drop(action: Action, file: FileRewriter) -> None:
    """Leave what a subtraction or a centring call gets; with it goes a root that nothing else reads."""
    import libcst as cst

    from ddplint.rewriting import CannotRewrite

    node = file.node_at(action.span)
    if isinstance(node, cst.AugAssign):
        file.remove(node)
        _drop_root(file, node.value, node)
        return
    if isinstance(node, cst.Call):
        given = dict(action.arguments)
        named = [one for one in node.args if one.keyword is not None and one.keyword.value == given["name"]]
        plain = [one for one in node.args if one.keyword is None and not one.star]
        index = int(given["index"])
        if not named and (index >= len(plain) or any(one.star for one in node.args)):
            raise CannotRewrite("what the call centres is not visible")
        kept = named[0].value if named else plain[index].value
        _keep(file, node, kept)
        callee = node.func
        while isinstance(callee, cst.Attribute):
            callee = callee.value
        if isinstance(callee, cst.Name):
            file.remove_unused_import(callee.value)
        return
    if not isinstance(node, cst.BinaryOperation):
        raise CannotRewrite("no subtraction at this place")
    _keep(file, node, node.left)
    _drop_root(file, node.right, node)


def _keep(file: FileRewriter, node: cst.BaseExpression, kept: cst.BaseExpression) -> None:
    """Put a part of an expression into its place, or take the whole assignment away where it would say `x = x`."""
    import libcst as cst

    owner = file.parent(node)
    whole = isinstance(owner, cst.Assign) and owner.value is node and len(owner.targets) == 1
    if isinstance(owner, cst.Assign) and whole and file.code_of(owner.targets[0].target) == file.code_of(kept):
        file.remove(owner)
    else:
        file.unwrap(node, kept)


def _drop_root(file: FileRewriter, root: cst.BaseExpression, dropped: cst.CSTNode) -> None:
    """Take away `root = joints[...]` where only what is dropped reads it."""
    import libcst as cst

    function = file.enclosing(dropped, cst.FunctionDef)
    if function is None:
        return
    for name in sorted(_names_in(root)):
        uses = [node for node in _nodes(function) if isinstance(node, cst.Name) and node.value == name]
        inside = [node for node in uses if node is root or root in file.ancestors(node)]
        outside = [node for node in uses if node not in inside]
        target = file.parent(outside[0]) if len(outside) == 1 else None
        made = file.parent(target) if isinstance(target, cst.AssignTarget) else None
        if not isinstance(made, cst.Assign) or len(made.targets) != 1:
            continue
        calls = [node for node in _nodes(made.value) if isinstance(node, cst.Call)]
        selects = isinstance(made.value, (cst.Subscript, cst.Call))
        if selects and all(isinstance(one.func, cst.Attribute) for one in calls):
            file.remove(made)


def _names_in(node: cst.CSTNode) -> set[str]:
    import libcst as cst

    return {one.value for one in _nodes(node) if isinstance(one, cst.Name)}


def _nodes(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _nodes(child)


RULE = DuplicateRootCentering()
