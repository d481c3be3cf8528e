"""Pages that say what went wrong: a customer's in his language, everybody else's in English.

Nothing in here asks the database: it may be what went wrong.
"""

from collections.abc import Mapping
from typing import Final

from flask import g, render_template, request

from api.pages.answering import language, page
from api.pages.words import FIRST, Words
from api.problems import Problem, meanings

_OF_CUSTOMERS: Final = ("/p/", "/w/")
_THEIRS: Final = frozenset({"/p", "/verify"})
_OURS: Final = 500
_UNAUTHORIZED: Final = 401
_WAY_IN: Final = "not_signed_in"
_BY_STATUS: Final[Mapping[int, str]] = {
    401: _WAY_IN,
    403: "not_allowed",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "conflict",
    413: "too_large",
    422: "request_invalid",
    429: "too_many_requests",
    503: "unavailable",
}
"""The code by which a problem is told whose own has no text."""


def shown(problem: Problem, *, wrote: bool) -> str:
    """Return the page about a problem; `wrote` where something was to be saved, and was not."""
    if not (request.path.startswith(_OF_CUSTOMERS) or request.path in _THEIRS):
        return render_template("problem.html", problem=problem, request_id=g.get("request_id", ""), wrote=wrote)
    said = language()
    code = known(problem, said)
    told = page(
        "customer/problem.html",
        said=said,
        company="",
        path=request.path if request.method in ("GET", "HEAD") else "/p/choices",
        title=said.say("problem", f"{code}_title"),
        lead=_lead(problem, code, said),
        way_in=said.say("problem", _WAY_IN) if problem.status == _UNAUTHORIZED and code != _WAY_IN else "",
        places=problem.places if said.code == FIRST else (),  # they are told in English alone
        wrote=wrote,
        request_id=g.get("request_id", ""),
    )
    return told.get_data(as_text=True)


def known(problem: Problem, said: Words) -> str:
    """Return the code by which a problem is told to customers.

    >>> from api.pages.words import words
    >>> [
    ...     known(Problem(status=409, code=code, title="", detail=""), words("de"))
    ...     for code in ("fenced", "customer_erased")
    ... ]
    ['conflict', 'customer_erased']
    """
    if problem.code in said.texts["problem"]:
        return problem.code
    return _BY_STATUS.get(problem.status, "internal" if problem.status >= _OURS else "bad_request")


def _lead(problem: Problem, code: str, said: Words) -> str:
    """Return what is said first: in English what was found in this very case, if anything was."""
    general = meanings().get(problem.code, ("", ""))[1]
    found = problem.detail if said.code == FIRST and problem.detail != general and code != _WAY_IN else ""
    return found or said.say("problem", code)
