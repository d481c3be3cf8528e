"""Where in HTML a place is: escaping keeps a fact harmless between tags, and nowhere else without more care."""

import re
from typing import Final, Literal

Spot = Literal["text", "tag", "quoted", "script"]
"""Between tags; inside one; in the quotes of an attribute's value; or in what no escaping makes safe."""

_OPENED: Final = re.compile(r"<(?:!--|[a-zA-Z/!?])")
_CLOSED: Final = re.compile(r"<(/?[a-zA-Z]*)(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+>")
_QUOTED: Final = re.compile(r"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+[\"'][^>]*", re.DOTALL)
_RAW: Final = frozenset({"script", "style"})


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
