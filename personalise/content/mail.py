"""An HTML mail: MJML with Liquid in it, compiled once to HTML that has the same Liquid in it.

The compiler knows nothing of Liquid, drops what it has no place for, and escapes no quotes. So it gets marks instead of
Liquid's tags, and nothing but what `personalise.content.elements` lets through; and afterwards every tag has to be
where it was: else it is an error with its line, never a mail that says less than its file.
"""

import hashlib
import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

import mrml

from personalise.content import elements
from personalise.content.elements import Element, Marks
from personalise.content.expressions import Wrong
from personalise.content.template import Faults, Kinds, Template, placed, read

LONGEST_SOURCE: Final = 100_000
LONGEST_MAIL: Final = 200_000
"""Signs of a mail's MJML, and of its HTML before and after it is rendered, at most."""

_TAG: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_OPENED: Final = re.compile(r"\{\{|\{%")
_CLOSED: Final = {"{{": "}}", "{%": "%}"}
_DOES: Final = re.compile(r"\{%-?\s*(\w+|#)")
_AT: Final = re.compile(r"at position (\d+):\d+$")
_OPTIONS: Final = mrml.RenderOptions(disable_comments=True, fonts={})
"""No comment is sent, and no font is fetched from elsewhere: whoever has fonts would learn who opens which mail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """What a treatment says as an HTML mail: its MJML, and the template that it was compiled to."""

    mjml: str
    html: Template

    @property
    def key(self) -> str:
        """SHA-256 of the MJML, in hexadecimal."""
        return key(self.mjml)

    def varies(self, value: str) -> bool:
        """Say whether an attribute of one of the elements has Liquid in it, so that it may differ from mail to mail."""
        return _hidden(self.mjml).marks.pattern.search(value) is not None

    @property
    def elements(self) -> tuple[Element, ...]:
        """The elements of the MJML, in order, a mark in the place of each tag of Liquid."""
        hidden = _hidden(self.mjml)
        return tuple(elements.read(hidden.text, hidden.marks)[0])


def key(mjml: str) -> str:
    """Return what compiled mails are found by."""
    return hashlib.sha256(mjml.encode()).hexdigest()


def mail(mjml: str, known: Kinds, compiled: str | None = None) -> Mail | Faults:
    """Read a mail, typed against the attributes that there are.

    Args:
        mjml: MJML with Liquid.
        known: all that it may read.
        compiled: what it was compiled to when it was published: then it isn't compiled again.
    """
    html = compile_mjml(mjml) if compiled is None else compiled
    if isinstance(html, Faults):
        return html
    found = read(html, known, html=True, longest=LONGEST_MAIL)
    if isinstance(found, Template):
        return Mail(mjml=mjml, html=found)
    return Faults(
        tuple(dict.fromkeys(placed(mjml, Wrong(_in_source(mjml, html, each.at), each.why)) for each in found))
    )


@lru_cache(maxsize=256)
def compile_mjml(mjml: str) -> str | Faults:
    """Compile MJML to HTML; each tag of Liquid stands in it as it was, and in the same order."""
    unclosed = _unclosed(mjml)
    if unclosed is not None:
        return Faults((placed(mjml, Wrong(unclosed, "opens a tag of Liquid that is not closed")),))
    hidden = _hidden(mjml)
    _, found = elements.read(hidden.text, hidden.marks)
    if found:
        return _faults(hidden, found)
    try:
        html = mrml.to_html(hidden.text, render_options=_OPTIONS).content
    except OSError as refused:
        return _faults(hidden, [_refusal(hidden.text, str(refused))])
    found = _lost(hidden, html)
    strange = elements.odd(html)
    if strange and not found:
        found = [Wrong(0, f"comes out with `{strange}`, which none of our mails has")]
    if len(html) > LONGEST_MAIL and not found:
        found = [Wrong(0, f"comes out as {len(html):,} signs of HTML, more than {LONGEST_MAIL:,}: write less")]
    return _faults(hidden, found) if found else hidden.marks.pattern.sub(lambda mark: hidden.tags[int(mark[1])], html)


def _unclosed(mjml: str) -> int | None:
    """Return where a tag of Liquid begins that doesn't end; None where all do."""
    at = 0
    while opened := _OPENED.search(mjml, at):
        closed = mjml.find(_CLOSED[opened.group()], opened.end())
        if closed < 0:
            return opened.start()
        at = closed + 2
    return None


@dataclass(frozen=True, slots=True)
class _Hidden:
    """MJML with marks in place of Liquid's tags.

    Attributes:
        mjml: as it was written.
        text: with marks.
        tags: the tags.
        marks: how they are recognised, and what each does.
        ends: for each mark, where it ends in `text`, and where its tag ends in `mjml`.
    """

    mjml: str
    text: str
    tags: tuple[str, ...]
    marks: Marks
    ends: tuple[tuple[int, int], ...]

    def source(self, at: int) -> int:
        """Return where in the MJML a place of `text` is; of a mark, where its tag begins."""
        before = bisect_right(self.ends, (at, len(self.mjml))) - 1
        hidden, written = self.ends[before] if before >= 0 else (0, 0)
        inside = self.marks.pattern.search(self.text, hidden)
        return written + ((inside.start() if inside and inside.start() < at else at) - hidden)


def _hidden(mjml: str) -> _Hidden:
    sign = "q"
    while f"liquid{sign}" in mjml:
        sign += "q"
    tags = tuple(_TAG.findall(mjml))
    names = tuple(f"liquid{sign}{number}z" for number in range(len(tags)))
    does = tuple(found[1] if (found := _DOES.match(tag)) else "" for tag in tags)
    does = tuple("" if each == "echo" else each for each in does)
    numbers = iter(names)
    text = _TAG.sub(lambda _: next(numbers), mjml)
    shorter = accumulate(len(tag) - len(name) for tag, name in zip(tags, names, strict=True))
    ends = tuple((tag.end() - less, tag.end()) for tag, less in zip(_TAG.finditer(mjml), shorter, strict=True))
    return _Hidden(mjml, text, tags, Marks(re.compile(f"liquid{sign}([0-9]+)z"), does), ends)


def _lost(hidden: _Hidden, html: str) -> list[Wrong]:
    """Return the tags that aren't in the HTML as they were: what puts out at least once, all others once, in order."""
    at = [found.start() for found in hidden.marks.pattern.finditer(hidden.text)]
    there = [int(found[1]) for found in hidden.marks.pattern.finditer(html)]
    missing = sorted(set(range(len(at))) - set(there))
    found = [Wrong(at[number], "would be lost: MJML has no place for it here") for number in missing]
    steers = [number for number in there if hidden.marks.does[number]]
    if not found and steers != sorted(set(steers)):
        again = next(
            number for spot, number in enumerate(steers) if number in steers[:spot] or number < max(steers[: spot + 1])
        )
        found = [Wrong(at[again], "would stand in the HTML more than once, or elsewhere: say it within a text")]
    return found


def _refusal(text: str, told: str) -> Wrong:
    """Return what the compiler refused, where it says where: it counts bytes."""
    place = _AT.search(told)
    why = _AT.sub("", told).replace(" in root template", "").strip()
    at = len(text.encode()[: int(place[1])].decode(errors="ignore")) if place else 0
    return Wrong(at, f"is no MJML: {why}")


def _faults(hidden: _Hidden, found: list[Wrong]) -> Faults:
    there = sorted({Wrong(hidden.source(each.at), each.why) for each in found})
    return Faults(tuple(placed(hidden.mjml, each) for each in there))


def _in_source(mjml: str, html: str, at: int) -> int:
    """Return where in the MJML a place within a tag of Liquid in its HTML was written: of equal tags, the same one."""
    tag = next((each for each in _TAG.finditer(html) if each.start() <= at < each.end()), None)
    if tag is None:
        return 0
    same = [each.start() for each in _TAG.finditer(mjml) if each.group() == tag.group()]
    before = sum(1 for each in _TAG.finditer(html, 0, tag.start()) if each.group() == tag.group())
    return same[min(before, len(same) - 1)] + at - tag.start() if same else 0
