"""Whether suppression comments are right: unused, misspelt and blanket ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ddplint.findings import Finding, Span
from ddplint.layout import Comment, Layout
from ddplint.rules.base import Rule
from ddplint.selection import unknown_rule
from ddplint.source import Sources
from ddplint.suppression import Selector, Suppression, suppressions

UNUSED = ("DDP001", "unused-ignore")
MISSPELT = ("DDP002", "misspelt-ignore")
BLANKET = ("DDP003", "blanket-ignore")

EXPLANATIONS: Mapping[tuple[str, str], str] = {
    UNUSED: "A suppression comment, or a code in one, that silences no finding. "
    "`ddplint fix --remove-unused-ignores` removes it and keeps the rest of the comment.",
    MISSPELT: "A comment that looks like a suppression, but does not say what it seems to: a rule that does not exist, "
    "a word that is misspelt, `# noqa` with a code but without a colon, a place where it covers nothing.",
    BLANKET: "A suppression comment that names no rule, and so silences rules that were not meant, those of later "
    "versions too.",
}

# what begins at one `#`, as far as it looks like a suppression
_ATTEMPT = re.compile(
    r"#\s*(?P<tool>[a-z][\w-]*)\s*(?P<colon>:?)\s*(?P<word>[a-z][\w-]*)?\s*(?P<list>\[[^\]#]*\])?"
    r"(?P<rest>(?:[^#]|#(?=\d))*)",
    re.IGNORECASE,
)
_REASON = re.compile(r"\s*(?:--.*)?")
_WORDS = ("ignore", "ignore-file")
_WORDS_OF_OTHERS = ("ignore", "noqa", "disable")
_TOKEN = re.compile(r"[A-Za-z][\w-]*")
_LETTERS = re.compile(r"[A-Z]+")


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a comment: which stretch of its row (columns from 0), of which kind, and in words.

    `drop` are selectors in it that silence nothing. `dead`: nothing in the stretch silences anything, so it can go.
    """

    path: str
    row: int
    start: int
    end: int
    kind: tuple[str, str]
    message: str
    drop: tuple[Selector, ...] = ()
    dead: bool = False

    @property
    def removable(self) -> bool:
        """Whether it can be removed without a change in what is silenced."""
        return self.dead or bool(self.drop)

    def finding(self) -> Finding:
        """The flaw as it is reported."""
        code, name = self.kind
        span = Span(self.path, self.row, self.start + 1, self.row, self.end + 1)
        why = "`ddplint fix --remove-unused-ignores` removes it" if self.removable else "only you know what is meant"
        return Finding(code, name, "warning", self.message, span, no_fix_reason=why)


class Judge:
    """Tells which comments are wrong, by the rules that exist, those that ran, and what each comment has silenced."""

    def __init__(
        self, rules: Sequence[Rule], ran: Collection[str], silenced: Iterable[tuple[Finding, Suppression]]
    ) -> None:
        self._rules = rules
        self._ran = frozenset(ran)
        self._silenced: dict[tuple[str, Suppression], list[Finding]] = {}
        for finding, comment in silenced:
            self._silenced.setdefault((finding.span.path, comment), []).append(finding)
        self._names = {rule.name: rule.code for rule in rules}
        letters = sorted({match[0] for rule in rules if (match := _LETTERS.match(rule.code))})
        self._code = re.compile(rf"(?:{'|'.join(letters)})\d+" if letters else "(?!)", re.IGNORECASE)
        hints = ["noqa", "ddplint", self._code.pattern, *map(re.escape, sorted(self._names))]
        self._hint = re.compile("|".join(hints), re.IGNORECASE)

    def flaws(self, paths: Iterable[str], sources: Sources) -> list[Flaw]:
        """What is wrong in these files, in order of place."""
        return [flaw for path in sorted(paths) for flaw in self._of_file(path, sources)]

    def _of_file(self, path: str, sources: Sources) -> Iterator[Flaw]:
        source = sources.get(path)
        if source is None or not self._hint.search(source.text):
            return
        layout = Layout(source.text)
        by_row: dict[int, list[Suppression]] = {}
        for one in suppressions(source.text, layout):
            by_row.setdefault(one.row, []).append(one)
        for comment in layout.comments:
            directives = by_row.get(comment.row, [])
            flaws = [flaw for one in directives for flaw in self._of_directive(path, comment, one)]
            flaws += self._of_attempts(path, comment, {one.start for one in directives})
            yield from sorted(flaws, key=lambda flaw: (flaw.start, flaw.kind))

    def _of_directive(self, path: str, comment: Comment, one: Suppression) -> Iterator[Flaw]:
        if one.blanket:
            yield from self._of_blanket(path, comment, one)
            return
        # what other tools' codes do is theirs to tell
        mine = tuple(two for two in one.selectors if one.kind != "noqa" or self._code.match(two.text))
        if not one.selectors:
            yield self._flaw(path, one, MISSPELT, "it names no rule and silences nothing", dead=True)
        elif mine and not one.covers_rows:
            yield self._flaw(path, one, MISSPELT, _misplaced(one), mine)
        else:
            known = [two for two in mine if self._meant(two)]
            for two in mine:
                if two not in known:
                    message = unknown_rule(self._rules, two.text)
                    yield Flaw(path, one.row, two.start, two.end, MISSPELT, message, (two,))
            unused = tuple(two for two in known if self._is_unused(path, one, two))
            if unused:
                where = "in this file" if one.kind == "ignore-file" else "here"
                message = f"unused: no finding of {', '.join(two.text for two in unused)} {where}"
                yield self._flaw(path, one, UNUSED, message, unused)

    def _of_blanket(self, path: str, comment: Comment, one: Suppression) -> Iterator[Flaw]:
        found = self._silenced.get((path, one), ())
        rest = comment.text[one.end - comment.column :].partition("#")[0]
        named = self._rules_in(rest)
        if one.kind == "noqa" and named:
            message = f"it names no rule and silences all of them; write `# noqa: {', '.join(named)}`"
            yield self._flaw(path, one, MISSPELT, message)
        elif found:
            codes = ", ".join(sorted({finding.code for finding in found}))
            better = f"# noqa: {codes}" if one.kind == "noqa" else f"# ddplint: {one.kind}[{codes}]"
            yield self._flaw(path, one, BLANKET, f"it silences every rule; name what is meant: `{better}`")
        elif one.kind == "ignore-file" and not one.covers_rows:
            yield self._flaw(path, one, MISSPELT, _misplaced(one), dead=True)
        elif one.kind != "noqa" and self._ran.issuperset(rule.code for rule in self._rules):
            where = "in this file" if one.kind == "ignore-file" else "here"
            yield self._flaw(path, one, UNUSED, f"unused: no finding {where}", dead=True)

    def _of_attempts(self, path: str, comment: Comment, taken: Collection[int]) -> Iterator[Flaw]:
        for match in _ATTEMPT.finditer(comment.text):
            start = comment.column + match.start()
            better = None if start in taken else self._better(match)
            if better:
                # where only a reason follows, the whole of it can go
                dead = bool(match["list"]) and _REASON.fullmatch(match["rest"]) is not None
                end = start + len(
                    match[0].rstrip() if dead else match[0][: match.start("rest") - match.start()].rstrip()
                )
                message = f"it silences nothing; write `{better}`"
                yield Flaw(path, comment.row, start, end, MISSPELT, message, dead=dead)

    def _better(self, match: re.Match[str]) -> str | None:
        """What was meant by a comment that is no suppression; None if it was none."""
        tool, word = match["tool"].lower(), (match["word"] or "").lower()
        named = self._rules_in(f"{match['word'] or ''} {match['list'] or ''} {match['rest']}")
        codes = ", ".join(named) or "CODE"
        near = _close(tool.partition("-")[0], ("ddplint",), 0.75)
        if (tool == "ddplint" and match["colon"]) or (near and match["list"]):
            return f"# ddplint: {_close(word, _WORDS, 0.6) or 'ignore'}[{codes}]"
        if named and match["colon"] and _close(tool, ("noqa",), 0.7):
            return f"# noqa: {codes}"
        if named and match["colon"] and word in _WORDS_OF_OTHERS:
            return f"# ddplint: ignore[{codes}]"
        return None

    def _rules_in(self, text: str) -> list[str]:
        """The codes of the rules that a text names, by code or name."""
        codes: dict[str, None] = {}
        for token in _TOKEN.findall(text):
            if self._code.fullmatch(token):
                codes[token.upper()] = None
            elif token.lower() in self._names:
                codes[self._names[token.lower()]] = None
        return list(codes)

    def _meant(self, selector: Selector) -> set[str]:
        return {rule.code for rule in self._rules if selector.covers(rule.code, rule.name)}

    def _is_unused(self, path: str, one: Suppression, selector: Selector) -> bool:
        """Whether a selector has silenced nothing, although all rules that it means ran."""
        found = self._silenced.get((path, one), ())
        used = any(selector.covers(finding.code, finding.name) for finding in found)
        return not used and self._meant(selector) <= self._ran

    def _flaw(
        self,
        path: str,
        one: Suppression,
        kind: tuple[str, str],
        message: str,
        drop: tuple[Selector, ...] = (),
        dead: bool = False,
    ) -> Flaw:
        return Flaw(path, one.row, one.start, one.end, kind, message, drop, dead)


def _misplaced(one: Suppression) -> str:
    if one.kind == "ignore-file":
        return "it covers nothing; `ignore-file` must stand on a line of its own"
    if one.kind == "noqa":
        return "it covers nothing; `noqa` must stand at the end of the line that it is for"
    return "it covers nothing; no statement follows"


def _close(word: str, known: Sequence[str], cutoff: float) -> str | None:
    return next(iter(difflib.get_close_matches(word, known, 1, cutoff)), None)
