"""PURE: what the customer was told when he said something, as one value with a hash.

Every statement is recorded with the hash of its terms: who asked, and for each scope the purpose, the data, what is
done to them, the legal basis, the wording in the language shown. So the ledger commits to the very words, and a receipt
that carries the terms proves them to whoever has no catalogue. They hold the terms of the vocabulary too: to verify a
receipt one needs no table of ours.

The hash is SHA-256 over `byleave/terms/v1`, a zero byte, the hash of the controller, and the hash of each scope's terms
in the order of the statement; each of these is SHA-256 over RFC 8785 bytes. Made of hashes, because a catalogue works
each of them out but once.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from consent.base.ids import Scope
from consent.catalogue import dpv
from consent.catalogue.model import Catalogue, Notice, ScopeRule

DOMAIN: Final = b"byleave/terms/v1\x00"
_CONTROLLER: Final = "controller"
_MOST_KNOWN: Final = 10_000


def told(
    catalogue: Catalogue, scopes: Sequence[Scope], notices: Mapping[Scope, int] | None, language: str
) -> dict[str, Any]:
    """Return the terms of a statement.

    Args:
        catalogue: under which it is recorded.
        scopes: that it names, in its order; of one that the catalogue no longer has, the terms are its name alone.
        notices: the version of the wording shown, for each scope that has one.
        language: in which it was shown; "" where nobody said.

    Returns:
        `controller` and `scopes`: JSON without numbers but the versions of wordings; what is empty is left out.
    """
    shown = notices or {}
    return {
        "controller": _controller(catalogue),
        "scopes": [_of_scope(catalogue, scope, shown.get(scope, 0), language) for scope in scopes],
    }


def told_digest(
    catalogue: Catalogue, scopes: Sequence[Scope], notices: Mapping[Scope, int] | None, language: str
) -> bytes:
    """Return `digest(told(…))`, with what was worked out before."""
    known, shown = catalogue.hashed_terms, notices or {}
    asked = (tuple(scopes), tuple(shown.items()), language)
    if asked in known:
        return known[asked]
    if _CONTROLLER not in known:
        known[_CONTROLLER] = _hash(_controller(catalogue))
    hashes = [known[_CONTROLLER]]
    for scope in scopes:
        version = shown.get(scope, 0)
        spoken = _spoken(_notice(catalogue, catalogue.scopes.get(scope), version), language)
        if (scope, version, spoken) not in known:
            known[scope, version, spoken] = _hash(_of_scope(catalogue, scope, version, language))
        hashes.append(known[scope, version, spoken])
    told = _joined(hashes)
    if len(known) < _MOST_KNOWN:  # anybody may name languages that there are not
        known[asked] = told
    return told


def digest(terms: Mapping[str, Any]) -> bytes:
    """Return the hash of terms that were given to somebody.

    Args:
        terms: as of `told`; strings, integers, booleans, lists and objects with ASCII keys.

    >>> digest({"controller": {"name": "A shop"}, "scopes": []}).hex()[:16]
    'dcf446a0ce4ea6a7'
    """
    return _joined([_hash(terms["controller"]), *(_hash(each) for each in terms["scopes"])])


def _joined(hashes: Sequence[bytes]) -> bytes:
    return hashlib.sha256(DOMAIN + b"".join(hashes)).digest()


def _hash(value: object) -> bytes:
    # RFC 8785, as long as there are no floats and keys are ASCII. Wordings are hashed as they were shown, whatever
    # form of Unicode they are in; therefore not `consent.base.canonical`.
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).digest()


def _controller(catalogue: Catalogue) -> dict[str, str]:
    who = catalogue.controller
    return _present({"name": who.name or catalogue.name, "address": who.address, "email": who.email})


def _of_scope(catalogue: Catalogue, scope: Scope, version: int, language: str) -> dict[str, Any]:
    rule = catalogue.scopes.get(scope)
    if rule is None:
        return {"scope": scope}
    terms = {
        "scope": scope,
        "operation": rule.operation,
        "legal_basis": str(rule.legal_basis),
        "basis": dpv.basis_term(rule.legal_basis),
        "data": _data(catalogue, rule),
        "purpose": _purpose(catalogue, rule),
        "processing": _processing(catalogue, rule),
        "channel": _channel(catalogue, rule),
        "recipient": _recipient(catalogue, rule),
        "benefit": rule.benefit,
        "retention": rule.retention.written() if rule.retention else "",
        "notice": _wording(_notice(catalogue, rule, version), language),
    }
    return _present(terms)


def _present(terms: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in terms.items() if value}


def _data(catalogue: Catalogue, rule: ScopeRule) -> dict[str, Any]:
    match rule.operation:
        case "remember" | "use":
            category = catalogue.categories[rule.target]
            return {
                "title": category.title,
                "origin": dpv.origin_term(category.origin),
                "terms": list(dpv.data_terms(category)),
            }
        case "contact":
            return {"origin": dpv.origin_term("provided"), "terms": list(dpv.address_terms(rule.target))}
        case "share":
            return {"terms": [dpv.UNNAMED]}


def _purpose(catalogue: Catalogue, rule: ScopeRule) -> dict[str, Any]:
    purpose = catalogue.purposes.get(rule.purpose)
    if purpose is None:
        return {"terms": [dpv.KEEPING]}
    terms = dpv.reaching_terms(purpose) if rule.operation == "contact" else dpv.purpose_terms(purpose)
    return {"title": purpose.title, "description": purpose.description, "terms": list(terms)}


def _processing(catalogue: Catalogue, rule: ScopeRule) -> list[str]:
    category = catalogue.categories.get(rule.target) if rule.operation == "remember" else None
    purpose = catalogue.purposes.get(rule.purpose)
    return list(
        dpv.operation_terms(
            rule.operation,
            origin=category.origin if category else "provided",
            marketing=purpose.marketing if purpose else False,
        )
    )


def _channel(catalogue: Catalogue, rule: ScopeRule) -> dict[str, str]:
    return {"key": rule.target, "title": catalogue.channels[rule.target].title} if rule.operation == "contact" else {}


def _recipient(catalogue: Catalogue, rule: ScopeRule) -> dict[str, str]:
    return {"key": rule.target, "title": catalogue.recipients[rule.target].title} if rule.operation == "share" else {}


def _notice(catalogue: Catalogue, rule: ScopeRule | None, version: int) -> Notice | None:
    return catalogue.notice_of(rule.notice, version) if rule else None


def _spoken(notice: Notice | None, language: str) -> str:
    return notice.spoken(language) if notice else ""


def _wording(notice: Notice | None, language: str) -> dict[str, Any]:
    if notice is None:
        return {}
    spoken = notice.spoken(language)
    return {"key": notice.key, "version": notice.version, "language": spoken, "text": notice.wording[spoken]}
