"""PURE: the proof in a receipt, read: every part of its form, or refused.

What is read here may come from anybody. Nothing of it is believed yet: `checking` verifies it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from consent.base.canonical import NotCanonical, b64, b64_bytes
from consent.base.errors import Invalid
from consent.catalogue.model import LegalBasis
from consent.ledger import entry
from consent.ledger.entry import Entry, Kind
from consent.ledger.merkle import HASH_BYTES
from consent.permission.statement import Act, Method

SALT_BYTES: Final = 32
PROOF: Final = "byleave:proof"
_NAMES: Final = ("entry", "payload", "salt", "terms", "path", "checkpoint")
"""The parts of a proof, in the order in which they are written, each behind `byleave:`."""

_LONGEST_PATH: Final = 63
_PAYLOAD: Final[Mapping[str, Any]] = {
    "actor": str,
    "customer": str,
    "statement": {
        "act": str,
        "method": str,
        "said_at": str,
        "scopes": [str],
        "valid_until": [str],
        "awaiting": [str],
        "until": str,
        "language": str,
        "evidence": str,
        "age": int,
        "guardian": bool,
    },
    "terms": str,
}
"""What a receipt tells of a payload; what else a payload holds is committed to, and not told."""

_NEEDED: Final = ("act", "method", "said_at")
_TERMS: Final[Mapping[str, Any]] = {
    "controller": {"name": str, "address": str, "email": str},
    "scopes": [
        {
            "scope": str,
            "operation": str,
            "legal_basis": str,
            "basis": str,
            "data": {"title": str, "origin": str, "terms": [str]},
            "purpose": {"title": str, "description": str, "terms": [str]},
            "processing": [str],
            "channel": {"key": str, "title": str},
            "recipient": {"key": str, "title": str},
            "benefit": str,
            "retention": str,
            "notice": {"key": str, "version": int, "language": str, "text": str},
        }
    ],
}
"""All that terms can hold (`consent.catalogue.terms`)."""


class ReceiptRefused(Invalid):
    """A receipt doesn't prove what it says, or isn't one."""

    code = "receipt_refused"
    title = "The receipt does not hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The proof in a receipt.

    Attributes:
        body: the entry's exact bytes.
        entry: what they say.
        payload: what the entry commits to; its `statement` has a known act and method.
        salt: 32 bytes, the key of the commitment.
        terms: what the payload names by its hash; their scopes are the statement's, in its order.
        path: from the entry's leaf to the root, the leaf's sibling first.
        checkpoint: the signed note.
    """

    body: bytes
    entry: Entry
    payload: dict[str, Any]
    salt: bytes
    terms: dict[str, Any]
    path: tuple[bytes, ...]
    checkpoint: str

    @property
    def said(self) -> dict[str, Any]:
        """The statement, as the payload holds it."""
        statement: dict[str, Any] = self.payload["statement"]
        return statement


def read(given: object) -> Proof:
    """Read a proof out of a receipt.

    Args:
        given: JSON as `consent.base.strict_json` reads it.

    Raises:
        ReceiptRefused: it is not of the form. Nothing else is ever raised.
    """
    if type(given) is not dict or set(given) != {f"byleave:{name}" for name in _NAMES}:
        raise ReceiptRefused(f"the proof doesn't have exactly its parts: {', '.join(_NAMES)}")
    written, payload, salt, terms, path, note = (given[f"byleave:{name}"] for name in _NAMES)
    body = written.encode() if type(written) is str else b""
    said = entry.read(body)
    if said is None or said.kind is not Kind.STATEMENT:
        raise ReceiptRefused("the entry is none, or not of a customer's statement")
    if type(note) is not str:
        raise ReceiptRefused("the checkpoint is not text")
    proof = Proof(
        body=body,
        entry=said,
        payload=payload if type(payload) is dict else {},
        salt=_bytes(salt, SALT_BYTES, "the salt"),
        terms=terms if type(terms) is dict else {},
        path=tuple(_path(path)),
        checkpoint=note,
    )
    _require_payload(proof.payload)
    _require_terms(proof.terms, proof.said.get("scopes", []))
    return proof


def written(proof: Proof) -> dict[str, Any]:
    """Return a proof as it stands in a receipt."""
    parts = (
        proof.body.decode(), proof.payload, b64(proof.salt), proof.terms,
        [b64(each) for each in proof.path], proof.checkpoint,
    )  # fmt: skip
    return {f"byleave:{name}": part for name, part in zip(_NAMES, parts, strict=True)}


def _bytes(given: object, length: int, what: str) -> bytes:
    try:
        data = b64_bytes(given) if type(given) is str and given.isascii() else b""
    except NotCanonical:
        data = b""
    if len(data) != length:
        raise ReceiptRefused(f"{what} is not {length} bytes in base64")
    return data


def _path(given: object) -> Iterator[bytes]:
    if type(given) is not list or len(given) > _LONGEST_PATH:
        raise ReceiptRefused(f"the path is not a list of up to {_LONGEST_PATH} hashes")
    for each in given:
        yield _bytes(each, HASH_BYTES, "a hash of the path")


def _require_payload(payload: dict[str, Any]) -> None:
    said = payload.get("statement")
    if not _fits(payload, _PAYLOAD, open_ended=True) or type(said) is not dict:
        raise ReceiptRefused("the payload is not of the form")
    missing = ["payload" for name in ("actor", "customer", "terms") if name not in payload]
    missing += ["statement" for name in _NEEDED if name not in said]
    if missing:
        raise ReceiptRefused(f"the {missing[0]} is not complete")
    if said["act"] not in set(Act) or said["method"] not in set(Method):
        raise ReceiptRefused("the statement is of a kind that is not known here")
    if "valid_until" in said and len(said["valid_until"]) != len(said.get("scopes", [])):
        raise ReceiptRefused("the statement doesn't say of each scope how long it holds")


def _require_terms(terms: dict[str, Any], scopes: list[str]) -> None:
    if set(terms) != set(_TERMS) or not _fits(terms, _TERMS) or "name" not in terms["controller"]:
        raise ReceiptRefused("the terms are not of the form")
    if [each.get("scope") for each in terms["scopes"]] != scopes:
        raise ReceiptRefused("the terms are not of the scopes that the statement names")
    for each in terms["scopes"]:
        if "legal_basis" in each and each["legal_basis"] not in set(LegalBasis):
            raise ReceiptRefused("the terms name a legal basis that is not known here")
        if "notice" in each and set(each["notice"]) != {"key", "version", "language", "text"}:
            raise ReceiptRefused("the terms have a wording that is not complete")


def _fits(given: object, form: Any, *, open_ended: bool = False) -> bool:  # noqa: ANN401 -- a tree of types
    """Say whether JSON is of a form: a type, a list of one form, or an object of named ones, each of which may lack.

    >>> _fits({"name": "Ann"}, {"name": str, "age": int}), _fits({"name": 1}, {"name": str}), _fits({"x": 1}, {})
    (True, False, False)
    """
    match form:
        case dict():
            return (
                type(given) is dict
                and (open_ended or given.keys() <= form.keys())
                and all(_fits(given[name], form[name], open_ended=open_ended) for name in given.keys() & form.keys())
            )
        case [each]:
            return type(given) is list and all(_fits(item, each, open_ended=open_ended) for item in given)
        case _:
            return type(given) is form
