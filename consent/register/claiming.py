"""PURE: what whoever hands a statement in can say of how it was said.

Imports and signals that are heard here have rules of their own, and record what they make of them.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from consent.base.errors import Place, StatementInvalid
from consent.permission.statement import GIVES_MORE, Method, Statement

CLAIMED: Final = tuple(
    method for method in Method if method not in (Method.CONFIRMATION, Method.MERGED, Method.SYNTHETIC)
)
"""What can be claimed. Confirming and joining happen here; what is made up comes in by a file that says so."""

_ONLY_LESS: Final = {
    Method.SIGNAL: "a signal that is handed on can only say no: have the customer asked, or import what was signalled",
    Method.ONE_CLICK: "a one-click link can only say no: whoever has it need not be the customer",
}


def require_sayable(statements: Sequence[Statement], *, listed: bool = False) -> None:
    """See that each statement can be said in the way that it claims.

    Args:
        statements: as they came in.
        listed: they came as `statements`, and places name the one.

    Raises:
        StatementInvalid: with every place that is wrong.
    """
    places = [
        Place(f"/statements/{spot}/{where}" if listed else f"/{where}", why)
        for spot, statement in enumerate(statements)
        for where, why in _wrong(statement)
    ]
    if places:
        raise StatementInvalid(places=places)


def _wrong(statement: Statement) -> Iterator[Place]:
    act, method = statement.act, statement.method
    if method is Method.SYNTHETIC:
        yield Place("method", "what is made up comes in by an import only, and nobody said it")
    # Who is known to be old enough is permitted more by it, whatever the act.
    more = str(act) if act in GIVES_MORE else "an age" if statement.age else ""
    if more and method in _ONLY_LESS:
        yield Place("method", f"{_ONLY_LESS[method]} ({more} gives more)")
    if more and method is Method.IMPORT and not statement.evidence.strip():
        yield Place("evidence", f"is missing: what is brought in from elsewhere counts as {more} with evidence only")
