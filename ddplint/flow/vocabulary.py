"""What a team's knowledge file may say. `docs/knowledge.md`, the JSON schema and the check of a file come from here.

It is the part of the shipped files' vocabulary that is worth having for code of one's own: the rest describes
libraries, and an alias ("works like `torch.nn.Sequential`") reaches that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ddplint.config.kinds import Choice, Flag, List, Record, Table, Text


@dataclass(frozen=True, slots=True)
class Word:
    """A word of `is`: what it means, other words that it brings along, and keys that are set unless given."""

    help: str
    also: tuple[str, ...] = ()
    sets: tuple[tuple[str, str], ...] = ()


_OBJECT = (("returns", "object"),)

WORDS: Mapping[str, Word] = {
    "gathers": Word(
        "brings the ranks' values together: what it returns is the same on all ranks",
        ("collective",),
        (("adds", "reduced"), ("carries", "all")),
    ),
    "in-place": Word("with `collective`: changes the tensors that it is given, as `all_reduce` does", ("collective",)),
    "collective": Word("all ranks must call it"),
    "main-only": Word("a decorator whose function rank 0 alone runs"),
    "process-group": Word("sets up distributed training"),
    "loader": Word("makes a loader; name its `parameters` as those of `DataLoader`", (), _OBJECT),
    "sharded-loader": Word("makes a loader that gives every rank its own shard", ("loader",), _OBJECT),
    "sampler": Word("makes a sampler", (), _OBJECT),
    "sharded-sampler": Word("makes a sampler that gives every rank its own samples", ("sampler",), _OBJECT),
    "random-sampler": Word("makes a sampler that shuffles", ("sampler",), _OBJECT),
    "dataset-view": Word("makes a data set out of the one that it is given, such as a subset", (), _OBJECT),
    "shards": Word("gives every rank its own shard of the loaders that it is given", (), (("returns", "arguments"),)),
    "shuffle": Word("draws an order of samples; `detail` says from which generator"),
    "takes-part": Word("keeps a part of what it is given"),
    "seed": Word("seeds random generators; `detail` says which"),
    "loss": Word("computes a loss of its arguments"),
    "loss-on-probabilities": Word(
        "hands its first argument to `binary_cross_entropy`, or computes the same", ("loss",)
    ),
    "regression-loss-call": Word("a loss of the difference of two quantities, as `mse_loss`", ("loss",)),
    "backward-of-argument": Word("runs backward of its argument"),
    "trainer": Word(
        "makes a trainer; it runs many processes if `devices`, `strategy` and the like say so", (), _OBJECT
    ),
    "sum-reduction": Word("sums a tensor"),
    "mean-reduction": Word("averages a tensor"),
    "reports": Word("shows or logs the numbers that it is given"),
    "writes": Word("writes the numbers that it is given to a file"),
    "logs-metric": Word("logs a number of a validation hook, as `LightningModule.log`"),
    "optimizer": Word("makes an optimizer; name its `parameters`", (), _OBJECT),
    "no_grad": Word("switches gradients off, as a decorator or context manager", (), _OBJECT),
    "config": Word("makes a configuration, whose values a file or the command line may replace", (), _OBJECT),
}

RETURNS: Mapping[str, str] = {
    "object": "an object of a class of its own; its methods are `calls` by their full names",
    "first": "its first argument",
    "arguments": "its argument, or the tuple of its arguments",
    "receiver": "the object whose method it is",
}

CARRIES: Mapping[str, str] = {
    "all": "everything that is known of the arguments",
    "shape": "what a view, a copy or a cast keeps",
    "compute": "what a numerical function keeps (the default)",
    "none": "nothing",
}

TAGS: Mapping[str, str] = {
    "sigmoid": "is the output of a sigmoid",
    "rank": "is this process's rank",
    "main": "is true on rank 0 only",
    "shard": "is of this rank's own shard of the samples",
    "reduced": "is the same on all ranks",
    "batch": "is a batch of samples",
    "parameter": "is a parameter of a module",
}

FAMILIES: Mapping[str, str] = {
    "torch": "`torch.manual_seed`",
    "numpy": "`numpy.random.seed`",
    "python": "`random.seed`",
}

DETAIL_HELP: Mapping[str, str] = {
    "families": "of `seed`: the generators that it seeds",
    "default": "of `seed`: whether it seeds when it is called without a seed",
    "family": "of `shuffle`: the generator that it draws from; `none`: one that no global seed reaches",
    "fixed": "of `shuffle`: arguments that fix the order",
    "needs": "of `shuffle`: the argument that switches it on",
    "own": "of `shuffle`: what makes a generator that has a method of the same name",
    "when": "of `shuffle`: drawn in the call (`eager`) or while iterating (`lazy`)",
    "attributes": "of an object: the tags of its attributes by name",
}

EFFECT_HELP: Mapping[str, str] = {
    "is": "what it is: a word or a list of words",
    "adds": "a tag that its result gets",
    "drops": "tags that its result loses",
    "carries": "how its arguments' tags reach its result",
    "returns": "what its result is",
    "parameters": "the names of its positional parameters, in order",
    "message": "how a trace names the step, such as `squashes the logits`",
    "detail": "more about what it is",
    "reference": "where that is written; for readers",
}

SECTION_HELP: Mapping[str, str] = {
    "aliases": "name -> the name that it works like, such as a function of torch",
    "calls": "function, class or method by its full name -> what calling it does",
    "objects": "class by its full name -> what calling an object of it does",
    "methods": "name of a method, of whatever object -> what calling it does",
    "names": "tag -> names of variables, attributes and keys whose unknown values have it",
}

# a name with dots, and several of them separated by blanks
DOTTED = r"^\s*[^\W\d]\w*(\.[^\W\d]\w*)+\s*$"
DOTTED_LIST = r"^\s*[^\W\d]\w*(\.[^\W\d]\w*)+([\s,]+[^\W\d]\w*(\.[^\W\d]\w*)+)*\s*$"
PLAIN = r"^\s*[^\W\d]\w*\s*$"
PLAIN_LIST = r"^\s*[^\W\d]\w*([\s,]+[^\W\d]\w*)*\s*$"

_NAME = Text("a name such as `step`", PLAIN)
_DOTTED = Text("a full name such as `package.module.function`", DOTTED)
_LIST_OF_NAMES = List(_NAME, "a list of names")
_FAMILY = Choice((*FAMILIES, "none"))
_TAG = Choice(TAGS)

DETAIL = Record(
    {
        "families": List(Choice(FAMILIES), f"a list of {', '.join(FAMILIES)}"),
        "default": Flag(),
        "family": _FAMILY,
        "fixed": _LIST_OF_NAMES,
        "needs": _NAME,
        "own": _DOTTED,
        "when": Choice(("eager", "lazy")),
        "attributes": Table(_NAME, _TAG, "a table of names and tags"),
    },
    help=DETAIL_HELP,
)

EFFECT = Record(
    {
        "is": List(Choice(WORDS, "a known word or a list of such"), "a known word or a list of such", single=True),
        "adds": _TAG,
        "drops": List(_TAG, f"a list of {', '.join(TAGS)}"),
        "carries": Choice(CARRIES),
        "returns": Choice(RETURNS),
        "parameters": _LIST_OF_NAMES,
        "message": Text(),
        "detail": DETAIL,
        "reference": List(Text(), "a string or a list of strings", single=True),
    },
    help=EFFECT_HELP,
)

_EFFECTS_BY_NAME = Table(
    Text("full names", DOTTED_LIST), EFFECT, "a table of full names such as `package.module.function`"
)

TITLE = "Knowledge file of ddplint: what a team's own code does"

FILE = Record(
    {
        "aliases": Table(_DOTTED, _DOTTED, "a table of full names such as `package.module.function`"),
        "calls": _EFFECTS_BY_NAME,
        "objects": _EFFECTS_BY_NAME,
        "methods": Table(Text("names", PLAIN_LIST), EFFECT, "a table of names of methods, without dots"),
        "names": Table(_TAG, _LIST_OF_NAMES, f"a table with the keys {', '.join(TAGS)}"),
    },
    "section",
    help=SECTION_HELP,
    empty=True,
)


def complete(effect: Mapping[str, Any]) -> dict[str, Any]:
    """A row with what its words bring along."""
    given = effect.get("is", ())
    words = [*given, *(other for word in given for other in WORDS[word].also)]
    implied = {key: value for word in reversed(words) for key, value in WORDS[word].sets}
    return {**implied, **effect, "is": words}
