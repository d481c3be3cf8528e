"""Things to test with, as small as they can be: a catalogue of every kind of scope, rules, statements."""

import copy
import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from consent.base.ids import CustomerId, Scope
from consent.catalogue.model import Catalogue, LegalBasis, ScopeRule, published
from consent.catalogue.reading import DEFAULT, parse_catalogue
from consent.permission.statement import Act, Method, Statement

START: Final = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
"""When a test begins, unless it says otherwise."""

FOUNDED: Final = START - timedelta(days=1)
"""When the world of the tests was founded, and its people enrolled."""

ANN: Final = CustomerId("cus_019aa0b7e1a87000800000000000a0a0")
"""A customer for tests without a database."""


def statement(customer: CustomerId, act: str, *scopes: str, **said: Any) -> Statement:
    """Return a statement, made on a web form at `START` unless `said` says otherwise."""
    plain = Statement(
        customer=customer,
        act=Act(act),
        scopes=tuple(Scope(scope) for scope in scopes),
        said_at=START,
        method=Method.WEB_FORM,
    )
    return replace(plain, **said)


def rule(scope: str = "use:purchases:offers", basis: str = "consent", **changes: Any) -> ScopeRule:
    """Return the rule of a scope with bit 0, which asks for nothing special unless `changes` do."""
    operation, target, *purpose = scope.split(":")
    plain: dict[str, Any] = {
        "scope": Scope(scope), "operation": operation, "target": target, "purpose": "".join(purpose),
        "legal_basis": LegalBasis(basis), "notice": "words", "benefit": "something", "validity": None,
        "retention": None, "double_opt_in": False, "minimum_age": 0, "gpc": False, "order": 0, "bit": 0,
    }  # fmt: skip
    assert {*plain, *changes} <= {field.name for field in fields(ScopeRule)}
    return ScopeRule(**{**plain, **changes})


def scope_table(scope: str, basis: str = "consent", **changes: Any) -> dict[str, Any]:
    """Return one [[scope]] of a catalogue file."""
    return {"scope": scope, "legal_basis": basis, "notice": "words", "benefit": "You gain by it.", **changes}


SHIPPED: Final[Mapping[str, Any]] = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
"""The tables of the shipped catalogue; both ask to remember purchases, and in the same words."""

CATALOGUE: Final[Mapping[str, Any]] = {
    "name": "A small shop",
    "purpose": [
        {"key": "offers", "title": "Offers", "description": "What we suggest.", "marketing": True},
        {"key": "service", "title": "Service", "description": "What you ordered.", "marketing": False},
    ],
    "category": [
        {"key": "purchases", "title": "Purchases", "origin": "observed", "special": False,
         "attributes": {"spent": "number", "bought": "integer", "last": "text", "returned": "boolean", "seen": "time"}},
        {"key": "health", "title": "Health", "origin": "provided", "special": True, "attributes": {"allergy": "text"}},
        {"key": "place", "title": "Place", "origin": "provided", "special": False, "attributes": {"country": "text"}},
        {"key": "replies", "title": "Replies", "origin": "observed", "special": False,
         "attributes": {"opened": "integer"}},
    ],
    "channel": [{"key": "email", "title": "E-mail"}, {"key": "post", "title": "Letter"}],
    "recipient": [{"key": "courier", "title": "The courier"}],
    "notice": [
        {"key": "words", "version": 1, "material": True, "wording": {"en": "May we?", "de": "Dürfen wir?"}},
        next(each for each in SHIPPED["notice"] if each["key"] == "remember-purchases"),
    ],
    "scope": [
        scope_table("remember:purchases", validity="P12M", notice="remember-purchases"),
        scope_table("use:purchases:offers", validity="P12M"),
        scope_table("use:purchases:service", "contract"),
        scope_table("remember:health", "explicit_consent"),
        scope_table("use:health:offers", "explicit_consent"),
        scope_table("remember:place", "contract"),
        scope_table("use:place:service", "legal_obligation"),
        scope_table("remember:replies", "legitimate_interest"),
        scope_table("use:replies:service", "legitimate_interest"),
        scope_table("contact:email:offers", validity="P6M", double_opt_in=True),
        scope_table("contact:post:offers"),
        scope_table("contact:email:service", "contract"),
        scope_table("share:courier:service", "contract"),
    ],
}  # fmt: skip
"""A catalogue with a scope of every operation and every legal basis, as a TOML file reads it."""

CONSENTS: Final = tuple(
    table["scope"] for table in CATALOGUE["scope"] if table["legal_basis"] in ("consent", "explicit_consent")
)
"""The scopes of `CATALOGUE` that nobody has who didn't say yes."""


def tables() -> dict[str, Any]:
    """Return `CATALOGUE` as dicts that a test may change."""
    return copy.deepcopy(dict(CATALOGUE))


def toml(table: Mapping[str, Any]) -> str:
    """Write a catalogue's tables as TOML."""
    lists = {key: items for key, items in table.items() if isinstance(items, list)}
    tabled = {key: items for key, items in lists.items() if all(isinstance(item, dict) for item in items)}
    lines = [f"{key} = {_value(item)}" for key, item in table.items() if key not in tabled]
    for key, items in tabled.items():
        for item in items:
            lines.append(f"[[{key}]]")
            lines.extend(f"{name} = {_value(cell)}" for name, cell in item.items())
    return "\n".join(lines) + "\n"


def _value(cell: Any) -> str:
    if isinstance(cell, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {_value(inner)}" for name, inner in cell.items()) + "}"
    if isinstance(cell, list):
        return "[" + ", ".join(map(_value, cell)) + "]"
    return json.dumps(cell, ensure_ascii=False)


def catalogue(**changes: Any) -> Catalogue:
    """Return `CATALOGUE` with top-level tables replaced, as read from a file and not yet published."""
    return parse_catalogue(toml({**CATALOGUE, **changes}))


def published_catalogue(version: int = 1, **changes: Any) -> Catalogue:
    """Return `CATALOGUE` as published first: bits count up in the order of its scopes."""
    draft = catalogue(**changes)
    return published(draft, version, {each.scope: bit for bit, each in enumerate(draft.in_order)})
