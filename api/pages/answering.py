"""How pages answer: in the customer's language, and with a redirect after whatever was written."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from flask import Response, render_template, request

from api.pages.words import FIRST, Words, languages, words

_SEE_OTHER: Final = 303
_KEPT: Final = frozenset({"before", "by", "decision", "entries", "look"})
"""What of an address says what is shown: it is the same in another language."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """A language that a page can be read in; `current` where it is."""

    tag: str
    name: str
    href: str
    current: bool


def language() -> Words:
    """Return the texts for whoever asks: in the language he chose on the page, else the best his browser names."""
    known = languages()
    chosen = request.args.get("lang", "")
    # A browser asks for de-AT first and for en next: German serves him better, though only English matches exactly.
    asked = (tag.partition("-")[0].lower() for tag, quality in request.accept_languages if quality)
    return words(chosen if chosen in known else next((code for code in asked if code in known), FIRST))


def linked(path: str, **query: str) -> str:
    """Return an address of a customer's page that keeps the language he chose.

    >>> linked("/p/saved", entries="12") if request else "/p/saved?entries=12"
    '/p/saved?entries=12'
    """
    chosen = {"lang": request.args["lang"]} if request.args.get("lang", "") in languages() else {}
    asked = {**query, **chosen}
    return f"{path}?{urlencode(asked, safe=',')}" if asked else path


def page(template: str, *, said: Words, company: str, path: str, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 -- whatever the template shows
    """Return a customer's page.

    Args:
        template: its name.
        said: the language.
        company: who asks; stands in the header.
        path: what the page is called when it is fetched, for the links to other languages.
        status: of the answer.
        values: finished, for the template.
    """
    tongues = [
        Tongue(tag=str(words(code).texts["tag"]), name=name, href=_in(path, code), current=code == said.code)
        for code, name in languages().items()
    ]
    shown = render_template(
        template,
        words=said.texts,
        company=company,
        tongues=tongues,
        choices_path=linked("/p/choices"),
        history_path=linked("/p/history"),
        remembered_path=linked("/p/remembered"),
        requests_path=linked("/p/requests"),
        wishes_path=linked("/p/wishes"),
        why_path=linked("/p/why"),
        goodwill_path=linked("/p/goodwill"),
        here=path,
        **values,
    )
    return Response(shown, status, mimetype="text/html")


def see_other(path: str) -> Response:
    """Send the browser on to fetch another page: reloading that one sends nothing again."""
    return Response(status=_SEE_OTHER, headers={"Location": path})


def _in(path: str, code: str) -> str:
    query = {key: value for key, value in request.args.items() if key in _KEPT}
    return f"{path}?{urlencode({**query, 'lang': code}, safe=',')}"
