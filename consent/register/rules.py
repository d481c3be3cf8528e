"""PURE: whether a statement can be recorded under a catalogue, and what the catalogue adds to it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Final

from consent.base.clock import EPOCH, rfc3339
from consent.base.errors import Place, StatementInvalid
from consent.base.ids import Scope
from consent.catalogue.model import ASKED, Catalogue, ScopeRule
from consent.permission.statement import GIVING, WHOLE_CUSTOMER, Act, Method, Statement

_LONGEST_EVIDENCE: Final = 2_000


def completed(statement: Statement, catalogue: Catalogue, at: datetime, *, where: str = "") -> Statement:
    """Return the statement with what the catalogue fixes: notice version, ends of validity, what awaits confirmation.

    Args:
        statement: as it was said.
        catalogue: in force.
        at: the ledger's own time; nothing can have been said later.
        where: prefix of the places of errors, such as `/statements/3`.

    Raises:
        StatementInvalid: with every place that is wrong.
    """
    places = list(_wrong(statement, catalogue, at))
    if places:
        raise StatementInvalid(places=[Place(f"{where}/{spot}", why) for spot, why in places])
    rules = [catalogue.scopes[scope] for scope in statement.scopes]
    shown = {rule.scope: statement.notice_version or _newest_notice(rule, catalogue) for rule in rules if rule.notice}
    if statement.act not in GIVING:
        return replace(statement, notices=shown or None)
    said_at = statement.said_at
    return replace(
        statement,
        notices=shown or None,
        valid_until={rule.scope: rule.validity.after(said_at) for rule in rules if rule.validity} or None,
        awaiting=frozenset(
            rule.scope for rule in rules if rule.double_opt_in and statement.method is not Method.CONFIRMATION
        ),
    )


def _wrong(statement: Statement, catalogue: Catalogue, at: datetime) -> Iterator[Place]:
    yield from _wrong_time(statement, at)
    if statement.act in WHOLE_CUSTOMER and statement.scopes:
        yield Place("scopes", f"{statement.act} concerns the whole customer: leave the scopes out")
    if statement.act not in WHOLE_CUSTOMER and not statement.scopes:
        yield Place("scopes", "name at least one scope")
    if len(set(statement.scopes)) != len(statement.scopes):
        yield Place("scopes", "a scope stands twice")
    if len(statement.evidence) > _LONGEST_EVIDENCE:
        yield Place("evidence", f"has more than {_LONGEST_EVIDENCE:,} characters")
    if statement.until and statement.act is not Act.PAUSE:
        yield Place("until", "belongs to a pause only")
    for spot, scope in enumerate(statement.scopes):
        yield from _wrong_scope(statement, scope, spot, catalogue)


def _wrong_time(statement: Statement, at: datetime) -> Iterator[Place]:
    if statement.said_at > at:
        yield Place("said_at", f"{rfc3339(statement.said_at)} is later than the ledger's own time, {rfc3339(at)}")
    if statement.said_at < EPOCH:
        yield Place("said_at", "is before 1970")


def _wrong_scope(statement: Statement, scope: Scope, spot: int, catalogue: Catalogue) -> Iterator[Place]:
    rule = catalogue.scopes.get(scope)
    if rule is None:
        yield Place(f"scopes/{spot}", f"{scope[:120]!r} is not in the catalogue (version {catalogue.version})")
        return
    if statement.act in GIVING and rule.legal_basis not in ASKED:
        why = f"{scope} stands on {rule.legal_basis}: it isn't granted, it can only be objected to"
        yield Place(f"scopes/{spot}", why)
    if statement.notice_version and (rule.notice, statement.notice_version) not in catalogue.notices:
        yield Place(
            "notice_version", f"notice {rule.notice or '(none)'} of {scope} has no version {statement.notice_version}"
        )


def _newest_notice(rule: ScopeRule, catalogue: Catalogue) -> int:
    notice = catalogue.current_notice(rule.notice)
    return notice.version if notice else 0
