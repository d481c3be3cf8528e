"""HTML read as a tree with the standard library's parser: what a page says, and the forms that it offers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

from typing_extensions import override

VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})


@dataclass(kw_only=True)
class Node:
    """An element: its attributes, and what is in it."""

    tag: str
    attrs: dict[str, str]
    inside: list["Node | str"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.inside:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, tag: str, **attrs: str) -> list["Node"]:
        """Return the elements of a tag within, whose attributes have these values; `class_` names one of many."""
        return [node for node in self.walk() if node.tag == tag and all(node.has(*pair) for pair in attrs.items())]

    def one(self, tag: str, **attrs: str) -> "Node":
        found = self.all(tag, **attrs)
        assert len(found) == 1, f"{len(found)} elements {tag} {attrs}"
        return found[0]

    def has(self, name: str, value: str) -> bool:
        if name == "class_":
            return value in self.attrs.get("class", "").split()
        return self.attrs.get(name.replace("_", "-")) == value

    @property
    def text(self) -> str:
        """The words within, spaces as one."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.inside:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()
                if child.tag in ("p", "li", "dt", "dd", "td", "th", "h1", "h2", "h3", "span", "legend", "summary"):
                    yield " "

    @property
    def fields(self) -> dict[str, str]:
        """What a form would send if nobody touched it, without its buttons."""
        sent = {}
        for one in self.all("input"):
            kind = one.attrs.get("type", "text")
            if kind not in ("radio", "checkbox") or "checked" in one.attrs:
                sent[one.attrs["name"]] = one.attrs.get("value", "on" if kind == "checkbox" else "")
        for one in self.all("textarea"):
            sent[one.attrs["name"]] = "".join(one._texts()).removeprefix("\n")  # as browsers drop the first line end
        for one in self.all("select"):
            options = one.all("option")
            chosen = next((each for each in options if "selected" in each.attrs), options[0])
            sent[one.attrs["name"]] = chosen.attrs["value"]
        return sent


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open = [Node(tag="document", attrs={})]

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag=tag, attrs={name: value or "" for name, value in attrs})
        self.open[-1].inside.append(node)
        if tag not in VOID:
            self.open.append(node)

    @override
    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].inside.append(Node(tag=tag, attrs={name: value or "" for name, value in attrs}))

    @override
    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    @override
    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


def read(html: str) -> Node:
    """Return a page as a tree; every element must be closed by its own tag."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert [node.tag for node in reader.open] == ["document"]
    return reader.open[0]
