"""Where in HTML a place is: escaping keeps a fact harmless between tags, and nowhere else without more care."""

import re
from html import unescape
from typing import Final, Literal

from personalise.content.parts import Choice, Parts, joined

Spot = Literal["text", "tag", "quoted", "script"]
"""Between tags; inside one; in the quotes of an attribute's value; or in what no escaping makes safe."""

_OPENED: Final = re.compile(r"<(?:!--|[a-zA-Z/!?])")
_CLOSED: Final = re.compile(r"<(/?[a-zA-Z]*)(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+>")
_QUOTED: Final = re.compile(r"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+[\"'][^>]*", re.DOTALL)
_RAW: Final = frozenset({"script", "style"})
_UNSEEN: Final = re.compile(r"<!--.*?-->|<!doctype[^>]*>|<(style|title)\b[^>]*>.*?</\1>", re.DOTALL)
_TAG: Final = re.compile(r"<(/?[a-zA-Z][\w:-]*)((?:[^\"'<>]|\"[^\"]*\"|'[^']*')*+)>?")
_TOLD: Final = re.compile(r"\b(?:href|alt)=\"([^\"]*)\"?")
_BLANKS: Final = re.compile(r"[ \t]+")
_BLANK_LINES: Final = re.compile(r"\s*\n\s*\n\s*")
_IN_LINE: Final = frozenset(
    {"a", "b", "code", "del", "em", "i", "s", "small", "span", "strong", "sub", "sup", "u", "img"}
)


def spot(written: str) -> Spot:
    """Return where what follows a piece of HTML would stand.

    >>> spot("<p>Hello "), spot("a < b "), spot('<a href="'), spot("<a title="), spot("<script>let x = '")
    ('text', 'text', 'quoted', 'tag', 'script')
    """
    at = 0
    while found := _OPENED.search(written, at):
        if found.group() == "<!--":
            end = written.find("-->", found.start())
            if end < 0:
                return "script"
            at = end + 3
            continue
        closed = _CLOSED.match(written, found.start())
        if closed is None:
            return "quoted" if _QUOTED.fullmatch(written, found.start()) else "tag"
        at = closed.end()
        name = closed.group(1).lower()
        if name in _RAW:
            end = written.lower().find(f"</{name}", at)
            if end < 0:
                return "script"
            at = end
    return "text"


def readable(parts: Parts) -> Parts:
    r"""Return what somebody gets to read of HTML that has choices in it: texts, pictures' words, where links lead to.

    >>> readable(('<p>Ask <a href="mailto:us@shop.example">us</a>, ', "or <b>reply</b>.</p><p>STOP</p>"))
    ('\n\nAsk mailto:us@shop.example us, or reply.\n\nSTOP\n\n',)
    """
    return _readable(parts, "")


def _readable(parts: Parts, before: str) -> Parts:
    """`before` is the HTML before the parts, as far as it still matters: a tag that isn't closed yet."""
    said: list[str | Choice] = []
    for part in parts:
        if isinstance(part, Choice):
            branches = tuple(_readable(branch, before) for branch in part.branches)
            said.append(Choice(branches=branches, certain=part.certain, times=part.times))
            continue
        before += part
        if spot(before) == "text":
            said.append(_words(before))
            before = ""
    return joined(said)


def _words(html: str) -> str:
    told = unescape(_TAG.sub(_seen, _UNSEEN.sub("", html)))
    return _BLANK_LINES.sub("\n\n", _BLANKS.sub(" ", told))


def _seen(tag: re.Match[str]) -> str:
    told = "".join(f" {each} " for each in _TOLD.findall(tag.group(2)))
    return told if tag.group(1).strip("/").lower() in _IN_LINE else f"\n\n{told}"
