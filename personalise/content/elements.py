"""What stands in an HTML mail: MJML's elements, some of HTML's within them, and links and pictures that say where to.

Read strictly, so that every reader after this one reads the same: each tag is closed, each value stands in quotes.
Liquid's tags are marks by now (see `personalise.content.mail`), so that nothing in them looks like a tag of HTML.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Final

from personalise.content.expressions import Wrong

_TOKEN: Final = re.compile(
    r"<!--(?P<comment>.*?)-->"
    r"|</(?P<end>[A-Za-z][\w:-]*+)\s*+>"
    r"|<(?P<start>[A-Za-z][\w:-]*+)"
    r"(?P<attributes>(?:\s++[\w:.-]++(?:\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))?)*+)\s*+(?P<empty>/?)>"
    r"|(?P<text>[^<]++)",
    re.DOTALL,
)
_ATTRIBUTE: Final = re.compile(r"([\w:.-]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'))?")
_HEAD: Final = frozenset({
    "mj-head", "mj-title", "mj-preview", "mj-attributes", "mj-all", "mj-class", "mj-breakpoint", "mj-style",
})  # fmt: skip
_BODY: Final = frozenset({
    "mjml", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero", "mj-text", "mj-button",
    "mj-image", "mj-divider", "mj-spacer", "mj-table", "mj-raw",
})  # fmt: skip
MJML: Final = _HEAD | _BODY
"""The elements of MJML that there are: nothing that includes files, loads fonts, or brings others' pictures."""

HTML: Final = frozenset({
    "a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img",
    "li", "ol", "p", "s", "small", "span", "strong", "sub", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr",
    "u", "ul",
})  # fmt: skip
"""The elements of HTML that texts may have."""

_VOID: Final = frozenset({"br", "hr", "img"})
_HOLDS_HTML: Final = frozenset({"mj-text", "mj-button", "mj-table", "mj-raw"})
_HOLDS_TEXT: Final = _HOLDS_HTML | {"mj-title", "mj-preview", "mj-style"}
_ONCE: Final = frozenset({"mjml", "mj-head", "mj-body", "mj-title", "mj-preview"})
_LINK: Final = re.compile(r"(?:https?://[^\s/]|mailto:|tel:|sms:|#)", re.IGNORECASE)
_PICTURE: Final = re.compile(r"https?://[^\s/]", re.IGNORECASE)
_ADDRESSES: Final[Mapping[str, re.Pattern[str]]] = {
    "href": _LINK, "src": _PICTURE, "background-url": _PICTURE, "background": _PICTURE,
}  # fmt: skip
_FETCHES: Final = re.compile(
    r"url\s*\(|@import|expression\s*\(|javascript:|behaviou?r\s*:|-moz-binding|\\", re.IGNORECASE
)
_OF_HTML: Final = frozenset({
    "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "class", "colspan", "dir", "height", "href",
    "id", "lang", "rel", "role", "rowspan", "scope", "src", "start", "style", "target", "title", "valign", "width",
})  # fmt: skip
_OF_THE_FRAME: Final = _OF_HTML | {
    "aria-label", "aria-roledescription", "background", "content", "http-equiv", "media", "name", "type",
    "vertical-align", "xmlns", "xmlns:o", "xmlns:v",
}  # fmt: skip
_FRAME: Final = HTML | {"body", "head", "html", "meta", "style", "title"}
_OUTLOOKS: Final = re.compile(r"\[if [^\]]*\]>(?:.*<!\[endif\]|<!)|<!\[endif\]", re.DOTALL)
_STYLE: Final = re.compile(r"(<style\b[^>]*>)[^<]*(?=</style>)")
_DEEPEST: Final = 40

OPENS: Final = frozenset({"if", "unless", "case", "for", "capture", "comment", "raw"})
_GOES_ON: Final = frozenset({"else", "elsif", "when"})


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands in for Liquid's tags: a pattern, and what each tag does ("" for what puts something out)."""

    pattern: re.Pattern[str]
    does: tuple[str, ...]

    def within(self, text: str) -> Iterator[tuple[int, str]]:
        """Walk the tags in a text: (where, what it does)."""
        for found in self.pattern.finditer(text):
            yield found.start(), self.does[int(found.group(1))]


@dataclass(frozen=True, slots=True)
class Element:
    """An element's start: its name, where it stands, and its attributes as they are meant."""

    name: str
    at: int
    attributes: Mapping[str, str]


@dataclass(slots=True)
class _Walk:
    marks: Marks
    found: list[Wrong] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)
    open: list[Element] = field(default_factory=list)
    """The elements around the present place, the innermost last."""
    ways: list[tuple[str, int, tuple[int, ...]]] = field(default_factory=list)
    """The ways of Liquid that are open here: tag, where, and the elements that stood around it."""

    def wrong(self, at: int, why: str) -> None:
        self.found.append(Wrong(at, why))

    def start(self, token: re.Match[str]) -> None:
        name, at = token["start"], token.start()
        within_html = any(each.name in _HOLDS_HTML for each in self.open)
        if name not in (HTML if within_html else MJML):
            self.wrong(at, _no_element(name, within_html=within_html))
        if name in _ONCE and any(each.name == name for each in self.elements):
            self.wrong(at, f"`{name}` stands twice: only one would be taken")
        element = Element(name, at, self._attributes(token, within_html=within_html))
        self.elements.append(element)
        if token["empty"] and within_html and name not in _VOID:
            self.wrong(at, f"`{name}` is closed by a tag of its own: write `</{name}>`")
        if not token["empty"] and not (within_html and name in _VOID):
            self.open.append(element)
        if len(self.open) > _DEEPEST:
            self.wrong(at, f"stands in more than {_DEEPEST} elements")

    def end(self, token: re.Match[str]) -> None:
        name = token["end"]
        if not self.open or self.open[-1].name != name:
            what = f"`{self.open[-1].name}` is open here" if self.open else "nothing is open here"
            self.wrong(token.start(), f"`</{name}>` closes nothing: {what}")
        if any(each.name == name for each in self.open):
            while self.open.pop().name != name:
                pass

    def text(self, text: str, at: int) -> None:
        inner = self.open[-1].name if self.open else ""
        held = any(each.name in _HOLDS_TEXT for each in self.open)
        for spot, does in self.marks.within(text):
            if not does and not held:
                self.wrong(at + spot, "puts something out where no text is: put it into mj-text")
            self._way(does, at + spot, tuple(each.at for each in self.open))
        if not held and self.marks.pattern.sub("", text).strip():
            self.wrong(at + len(text) - len(text.lstrip()), "is text where none is shown: put it into mj-text")
        if inner == "mj-title" and '"' in text:
            self.wrong(at, "has a quote, which the compiler would break off at: write `&quot;`")
        if inner == "mj-style" and _FETCHES.search(text):
            self.wrong(at, "fetches something, or does: a style says how things look")

    def comment(self, text: str, at: int) -> None:
        if text.lstrip().startswith(("[", "<")):
            self.wrong(at, "is a comment that some programs show: write what all shall see")
        if self.marks.pattern.search(text):
            self.wrong(at, "a comment is not sent, nor what Liquid says in it: use `{% comment %}`")

    def _way(self, does: str, at: int, around: tuple[int, ...]) -> None:
        """A way of Liquid ends within the elements in which it began: whichever is gone, all of them are closed."""
        if does in OPENS:
            self.ways.append((does, at, around))
        elif does in _GOES_ON or does.startswith("end"):
            if self.ways and self.ways[-1][2] != around:
                self.wrong(at, f"`{does}` stands in other elements than the `{self.ways[-1][0]}` that it belongs to")
            if does.startswith("end") and self.ways:
                self.ways.pop()

    def _attributes(self, token: re.Match[str], *, within_html: bool) -> dict[str, str]:
        given: dict[str, str] = {}
        before = token.start("attributes")
        for each in _ATTRIBUTE.finditer(token["attributes"]):
            name, at = each.group(1).lower(), before + each.start()
            value = each.group(2) if each.group(2) is not None else each.group(3)
            if self.marks.pattern.search(name):
                self.wrong(at, "stands among attributes: Liquid may stand within the quotes of a value")
            elif value is None:
                self.wrong(at, f"`{name}` has no value: write one, in quotes")
            elif name in given:
                self.wrong(at, f"`{name}` stands twice")
            else:
                self._value(name, value, at, within_html=within_html)
            given[name] = unescape(value or "")
        return given

    def _value(self, name: str, value: str, at: int, *, within_html: bool) -> None:
        meant = unescape(value).strip()
        if name.startswith("on") or (within_html and name not in _OF_HTML):
            self.wrong(at, f"there is no attribute `{name}` in our mails")
        elif '"' in value:
            self.wrong(at, f"`{name}` has a quote in its value: write `&quot;`")
        elif name in _ADDRESSES and not _ADDRESSES[name].match(meant):
            schemes = "https://, http://, mailto:, tel:, sms: or #" if name == "href" else "https:// or http://"
            self.wrong(at, f"`{name}` has to begin with {schemes}, written out")
        elif name not in _ADDRESSES and _FETCHES.search(meant):
            self.wrong(at, f"`{name}` fetches something, or does: an attribute says how things look")
        ways, self.ways = self.ways, []
        for spot, does in self.marks.within(value):
            self._way(does, at + spot, ())
        if self.ways:
            self.wrong(at, f"`{name}` has a Liquid tag that is not closed within its quotes")
        self.ways = ways


def read(source: str, marks: Marks) -> tuple[list[Element], list[Wrong]]:
    """Read MJML; return its elements, and what is wrong.

    Args:
        source: MJML, Liquid's tags replaced by marks.
        marks: those.
    """
    walk, at = _Walk(marks), 0
    while at < len(source):
        token = _TOKEN.match(source, at)
        if token is None:
            walk.wrong(at, "is no tag that can be read: values stand in quotes, and `<` in a text is `&lt;`")
            break
        if token["start"]:
            walk.start(token)
        elif token["end"]:
            walk.end(token)
        elif token["text"]:
            walk.text(token["text"], at)
        else:
            walk.comment(token["comment"], at)
        at = token.end()
        if len(walk.open) > _DEEPEST:
            break
    else:
        for each in walk.open:
            walk.wrong(each.at, f"`{each.name}` is not closed")
    return walk.elements, walk.found


def odd(html: str) -> str:
    """Return what a compiled mail has that none may have; "" where there is nothing: the last look before it is kept.

    >>> odd('<!doctype html><html><body><p style="color:red">Hello</p></body></html>')
    ''
    >>> odd("<p>Hello</p><script>alert(1)</script>"), odd('<p onclick="alert(1)">Hello</p>')
    ('<script>', 'onclick')
    """
    bare = _STYLE.sub(r"\1", html.removeprefix("<!doctype html>"))
    at = 0
    while at < len(bare):
        token = _TOKEN.match(bare, at)
        if token is None:
            return bare[at : at + 20]
        name = token["start"] or token["end"] or ""
        if name and name.lower() not in _FRAME:
            return f"<{name[:40]}>"
        if token["comment"] is not None and not _OUTLOOKS.fullmatch(token["comment"]):
            return "<!--"
        for each in _ATTRIBUTE.finditer(token["attributes"] or ""):
            if each.group(1).lower() not in _OF_THE_FRAME:
                return each.group(1)[:40]
        at = token.end()
    return ""


def _no_element(name: str, *, within_html: bool) -> str:
    if within_html:
        return f"there is no `{name[:40]}` in a text: {', '.join(sorted(HTML))}"
    if name in HTML:
        return f"`{name}` stands where MJML lays out: put it into mj-text"
    return f"there is no `{name[:40]}` in our mails: {', '.join(sorted(MJML))}"
