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

from ddplint.findings import Severity
from ddplint.flow.events import AssignEvent, BinaryEvent, CallEvent, ReturnEvent, reachable
from ddplint.flow.knowledge import Knowledge
from ddplint.flow.run import Run
from ddplint.flow.values import OPAQUE, Const, Part, Place, Tag, Value
from ddplint.rules.base import Check, Rule
from ddplint.rules.centering.again import OTHER, SAME, Again, Site, message_of, roots_of, sites_of
from ddplint.rules.centering.codemods import drop_centring
from ddplint.rules.centering.repair import DROP, Seen, centred_argument, fix_of
from ddplint.rules.centering.roots import (
    in_whole,
    is_known,
    is_slice,
    joint_axis,
    joints_in,
    leaves_out,
    picks_one,
    root_of,
    share_none,
    spoken,
)
from ddplint.rules.scopes import home_of
from ddplint.rules.statements import texts_of


class DuplicateRootCenteringCheck(Check):
    def __init__(self, rule: Rule, knowledge: Knowledge) -> None:
        super().__init__(rule, knowledge)
        self.found: dict[Site, Again] = {}
        self.of_joints: dict[Site, bool] = {}
        self.kept: set[Site] = set()
        self.marked: dict[Site, Place] = {}
        self.seen = Seen()

    # centring

    def on_binary_result(self, event: BinaryEvent) -> Value | None:
        left, right = event.left, event.right
        if event.in_place:
            self.seen.write(left, event.scope)
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
            self.seen.uncentred.add((event.scope.module.path, event.node[1]))
            self.seen.uncentred.update(caller[:2] for caller in event.scope.callers[-1:])
        if not isinstance(right.shape, Part):
            if earlier is not None and "rooted" in right.tags:
                self._compare(earlier, right.tags["rooted"])
            return None
        # the mean of all joints is no joint: standardising and Procrustes alignment subtract it
        root = "" if right.identity == left.identity else root_of(right.shape)
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
                for site in sites_of(tag):
                    if site in self.found and self.found[site].where == home_of(event.scope):
                        del self.found[site]

    def _is_own(self, left: Value, root: Part) -> bool:
        """Whether a root was taken from what it is subtracted from."""
        family = {left.identity}
        if isinstance(left.shape, Part):
            part = joint_axis(left.shape.index)
            if picks_one(left.shape.index):
                return False
            if root.base == left.shape.base and part and not is_slice(part) and "+" not in part:
                # two selections of one kind: frames or samples compared with each other
                return False
            family |= {left.shape.base, *left.shape.above}
        family.discard(0)
        return root.base in family or any(one == left.identity and one for one in root.above)

    def _centred(self, event: BinaryEvent, root: str, earlier: Tag | None) -> Value | None:
        left, right = event.left, event.right
        assert isinstance(right.shape, Part)
        if event.in_place and isinstance(left.shape, Part) and "+" in joint_axis(left.shape.index):
            # some joints made relative to another in place: the rest stays as it was
            return None
        site = (event.scope.module.path, event.node[1])
        self.of_joints.setdefault(site, self._mentions_joints(event))
        subset = left.shape.index if isinstance(left.shape, Part) and right.shape.base == left.identity else ""
        absolute = in_whole(root, subset)
        if earlier is not None and not self._elsewhere(left, earlier):
            relation = SAME if absolute == earlier.detail else OTHER
            if relation == OTHER and (self._is_part(event, subset) or roots_of(earlier) > {earlier.detail}):
                return None
            self._again(event, earlier, absolute or root, relation, self._harm(earlier))
        if isinstance(left.shape, Part) and leaves_out(left.shape.index, root):
            self.kept.add(site)
        place = Place(*site, f"centred at joint {spoken(root)}")
        if event.scope.instance is not None:
            self.seen.centring[site].add(id(event.scope.instance.shape))
        origins = {("at", *site, absolute or root), ("base", right.shape.base)}
        if isinstance(left.shape, Part):
            origins.add(("of", *site, left.shape.index))
        tag = Tag((place,), event.scope.conditions, frozenset(origins), absolute or root)
        result = event.result
        tags = {name: one for name, one in result.tags.items() if name != "rooted"}
        return Value(result.shape, {**tags, "rooted": tag}, result.conditions, result.identity)

    def _elsewhere(self, left: Value, earlier: Tag) -> bool:
        """Whether the joints centred before are others than those centred now."""
        if not isinstance(left.shape, Part):
            return False
        before = {one[1:3]: one[3] for one in earlier.origins if one[0] == "of"}
        index = left.shape.index
        return all(site in before and share_none(before[site], index) for site in sites_of(earlier))

    def _harm(self, earlier: Tag) -> str:
        for site in sites_of(earlier):
            if site in self.marked:
                return "marker"
            if site in self.kept:
                return "slot"
        return ""

    def _is_part(self, event: BinaryEvent, subset: str) -> bool:
        """Whether what is centred is a part of the body with a root of its own."""
        if subset and joints_in(subset):
            return True
        texts = [subset, *texts_of(event.node[3]), *texts_of(event.node[4])]
        return any(self.knowledge.matches("body_part", text) for text in texts)

    def _again(self, event: BinaryEvent, earlier: Tag, root: str, relation: str, harm: str) -> None:
        scope = event.scope
        path, node = scope.module.path, event.node
        sites = sites_of(earlier)
        argument: tuple[int, str] | None = None
        where, refusal = home_of(scope), ""
        if (path, node[1]) in sites:
            # one helper centres twice: the second call is where it happens again
            if relation != SAME or len(earlier.steps) < 2:
                return
            if not scope.callers or any(scope.callers[-1][:2] == step[:2] for step in earlier.steps):
                return
            caller = scope.callers[-1]
            path, node = caller.path, ["call", caller.position]
            where = (path, -1)
            argument = centred_argument(event)
            if argument is None:
                refusal = "the function that centres again does more than that"
        if not self._mentions_joints(event) and not any(self.of_joints.get(site) for site in sites):
            return
        here = Place(path, node[1], f"centred again at joint {spoken(root)}")
        found = Again(path, node, (*earlier.steps, here), earlier.detail, root, relation, harm)
        found.earlier, found.where, found.argument = frozenset(sites), where, argument
        found.in_place = event.in_place
        batch = event.left.tags.get("batch")
        if batch is not None and all(isinstance(origin, int) for origin in batch.origins):
            found.loaders = batch.origins
        found.refusal = refusal or self._doubt(event, earlier, root)
        if "+" in root:
            found.caution = "the middle of several joints is zero after the first centring only up to rounding"
        elif isinstance(event.left.shape, Part) and joint_axis(event.left.shape.index).startswith("@"):
            found.caution = "whether what is selected in between still has that root in its place is not visible"
        if harm == "marker":
            marker = next((self.marked[site] for site in sites if site in self.marked), None)
            if marker is not None:
                found.trace = (*earlier.steps, marker, here)
        self._keep(found)

    def _keep(self, found: Again) -> None:
        """Take in a second centring; where one is known at the same place, what is said holds for both."""
        site = (found.path, found.node[1])
        known = self.found.get(site)
        if known is None:
            self.found[site] = found
            return
        kept = self.found[site] = found if found.harm and not known.harm else known
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
        if len(roots_of(earlier)) > 1:
            return "joints that are relative to different roots come here"
        return ""

    def _mentions_joints(self, event: BinaryEvent) -> bool:
        function = event.scope.function
        texts = [*texts_of(event.node[3] if event.node[0] == "bin" else event.node[2]), *texts_of(event.node[4])]
        if function is not None:
            texts += [function.name, *function.qualname.split(".")]
        return any(self.knowledge.matches("joint_word", text) for text in texts)

    # what happens between and after

    def on_assign(self, event: AssignEvent) -> None:
        if event.owner is None:
            return
        tag = event.owner.tags.get("rooted")
        self.seen.write(event.owner, event.scope)
        if tag is None or not isinstance(event.value.shape, Const):
            return
        marker = event.value.constant
        if isinstance(marker, (int, float)) and not isinstance(marker, bool) and marker != 0:
            place = Place(event.scope.module.path, event.node[1], f"some joints are set to {marker}")
            for site in sites_of(tag):
                self.marked.setdefault(site, place)

    def on_return(self, event: ReturnEvent) -> None:
        self.seen.give(event)

    def on_call(self, event: CallEvent) -> None:
        if event.effect is None and event.arguments and "rooted" not in event.arguments[0].tags:
            self.seen.uncentred.add((event.scope.module.path, event.node[1]))
        if event.receiver is not None and event.node[2][0] == "attr" and _is_in_place(event.node[2][3]):
            self.seen.write(event.receiver, event.scope)
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
        if not joint_axis(shape.index):
            return None
        return Value(
            Part(shape.base, shape.index + "~mean", shape.above),
            event.result.tags,
            event.result.conditions,
            value.identity,
        )

    def _compare(self, one: Tag, other: Tag) -> None:
        """Prediction and truth meet: both ought to be at the same root."""
        roots = roots_of(one), roots_of(other)
        if len(roots[0]) != 1 or len(roots[1]) != 1 or roots[0] == roots[1]:
            return
        if not all(is_known(root) for sides in roots for root in sides):
            return
        for site in (*sites_of(one), *sites_of(other)):
            found = self.found.get(site)
            if found is not None and not found.harm:
                found.harm = "sides"

    def finish(self, run: Run) -> None:
        for found in self.found.values():
            severity: Severity = "error" if found.harm else "note"
            reason = self.seen.refusal(found, run)
            fix = None if reason else fix_of(found)
            self.report(found.path, found.node, message_of(found), found.trace, severity, fix=fix, no_fix_reason=reason)


def _is_in_place(method: str) -> bool:
    return method.endswith("_") and not method.endswith("__")


class DuplicateRootCentering(Rule):
    code = "DDP301"
    name = "duplicate-root-centering"
    severity = "note"
    words = (frozenset({"pattern:joint_word"}),)
    check = DuplicateRootCenteringCheck
    codemods = {DROP: drop_centring}


RULE = DuplicateRootCentering()
