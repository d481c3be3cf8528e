"""Receipts made without a store: a statement, a small tree around its entry, a signed checkpoint. And their forgeries.

The same forgeries are tried on the verifier in Python and on the one in the browser.
"""

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.base import canonical, strict_json
from consent.base.clock import rfc3339
from consent.base.errors import Invalid
from consent.base.ids import Scope
from consent.catalogue import terms
from consent.catalogue.model import Catalogue
from consent.ledger import checkpoint, entry, merkle, note
from consent.ledger.checkpoint import Checkpoint
from consent.ledger.entry import Kind
from consent.ledger.note import Signer
from consent.permission.statement import WHOLE_CUSTOMER, Act, Method, Statement
from consent.receipts import checking, document, form
from consent.receipts.form import Proof
from tests.builders import ANN, CATALOGUE, START, published_catalogue, statement

ORIGIN: Final = "shop.example/consent/2026h2"
SIGNER: Final = Signer(name=ORIGIN, key=Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
VERIFIER: Final = SIGNER.verifier
VKEY: Final = note.vkey(ORIGIN, VERIFIER.public_key)
MUTATIONS: Final = 10_000
SALT: Final = bytes(range(100, 132))
FIRST: Final = Path(__file__).with_name("receipt-v1.jsonld")
"""A receipt made on the day the form was settled; and the key to verify it with."""
FIRST_KEY: Final = "shop.example/consent/2026h2+83e59c7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"


def proof_of(said: Statement, catalogue: Catalogue, **where: Any) -> Proof:
    """Return the proof of a statement that was recorded under a catalogue."""
    told = terms.told(catalogue, said.scopes, said.notices, said.language)
    return sealed(payload_of(said, told), told, **where)


def payload_of(said: Statement, told: dict[str, Any]) -> dict[str, Any]:
    """Return the payload of a statement, as the register writes it."""
    return {
        "actor": "customer",
        "customer": said.customer,
        "n": 1,
        "prev": "",
        "statement": said.record(),
        "terms": canonical.b64u(terms.digest(told)),
    }


def sealed(
    payload: Any, told: Any, *, seq: int = 2, size: int = 5, signer: Signer = SIGNER, kind: Kind = Kind.STATEMENT,
    log: str = ORIGIN,
) -> Proof:  # fmt: skip
    """Return a proof that holds together, whatever its payload and terms say."""
    _, commitment = entry.committed(payload, SALT)
    body = entry.write(
        at=rfc3339(START), commitment=commitment, catalogue_version=1, digest=bytes(32), log=log, seq=seq, kind=kind
    )
    leaves = [merkle.leaf_hash(body if spot == seq else bytes([spot])) for spot in range(size)]
    signed = checkpoint.sign(Checkpoint(origin=signer.name, size=size, root=merkle.root(leaves)), signer)
    return Proof(
        body=body,
        entry=entry.read(body) or _no_entry(),
        payload=payload,
        salt=SALT,
        terms=told,
        path=tuple(merkle.root(leaves[first:end]) for first, end in merkle.inclusion_path(seq, size)),
        checkpoint=signed,
    )


def _no_entry() -> Any:
    raise AssertionError("the entry is not of the form")


def written(proof: Proof) -> bytes:
    """Return the file of a receipt."""
    return orjson.dumps(document.receipt(proof), option=orjson.OPT_INDENT_2)


def typical() -> bytes:
    """Return the file that forgeries are made of: small, with something of everything."""
    mail = Scope("contact:email:offers")
    said = statement(
        ANN, "grant", mail, language="de", notices={mail: 1}, valid_until={mail: START.replace(year=2027)},
        awaiting=frozenset({mail}), age=40, evidence="Band 7",
    )  # fmt: skip
    return written(proof_of(said, published_catalogue()))


def varied() -> Iterator[Proof]:
    """Yield the proof of every act by every method, about scopes of every operation and legal basis, and odd ones."""
    shop = published_catalogue()
    scopes = tuple(Scope(table["scope"]) for table in CATALOGUE["scope"])
    for spot, (act, method) in enumerate(product(Act, Method)):
        named = () if act in WHOLE_CUSTOMER else scopes[spot % 3 :]
        said = statement(
            ANN, act, *named, method=method, notices=dict.fromkeys(named, 1) or None, guardian=spot % 2 == 0,
            age=spot % 5 and 12, language=("", "en", "de-AT")[spot % 3], evidence=("", "Akte „Ä“ 😀")[spot % 2],
            valid_until={scope: START.replace(year=2028) for scope in named[::2]} or None,
        )  # fmt: skip
        yield proof_of(said, shop, seq=spot % 7, size=spot % 7 + 1 + spot % 4)
    mail = scopes[-4]
    yield proof_of(statement(ANN, "refuse", method=Method.SIGNAL, evidence="Sec-GPC: 1"), shop)
    yield proof_of(statement(ANN, "pause", until=START.replace(year=2027)), shop, seq=0, size=1)
    yield proof_of(statement(ANN, "grant", mail, awaiting=frozenset({mail}), notices={mail: 1}), shop, seq=99, size=100)
    yield proof_of(statement(ANN, "withdraw", "use:gone:offers"), shop)


def spoilt(count: int, *, seed: int = 1) -> Iterator[bytes]:
    """Yield receipts that the log's own signer made up: all hashes and signatures fit, and the form may not."""
    drawn, good = random.Random(seed), list(varied())  # noqa: S311 -- a seeded choice of places, no secret
    made = 0
    while made < count:
        proof = drawn.choice(good)
        told, payload = (_spoilt(each, drawn) for each in (proof.terms, proof.payload))
        with suppress(KeyError, TypeError, AttributeError):  # of such terms there is no hash
            payload = {**payload, "terms": canonical.b64u(terms.digest(told))}
        with suppress(canonical.NotCanonical):  # nobody can commit to that
            changed = sealed(payload, told)
            made += 1
            yield json.dumps({**_readable(changed), form.PROOF: form.written(changed)}, ensure_ascii=False).encode()


def _spoilt(value: Any, drawn: random.Random) -> Any:
    place = drawn.choice(list(_places(value)))
    if drawn.random() < 0.2 and place:
        return _without(value, place)
    return _with(value, place, drawn.choice([*_changes(_at(value, place)), _at(value, place), {}, []]))


def _readable(proof: Proof) -> dict[str, Any]:
    """Return the readable part, where one can be written at all."""
    with suppress(TypeError, KeyError, AttributeError, ValueError, IndexError):
        return document.readable(proof)
    return {}


# -------------------------------------------------------------------------------------------------------- forgeries


def forgeries(raw: bytes, count: int, *, seed: int = 1) -> Iterator[bytes]:
    """Yield `count` changed files: every value changed in several ways, then single bytes, here and there."""
    drawn = random.Random(seed)  # noqa: S311 -- a seeded choice of places, no secret
    made = 0
    for changed in _every_value(raw):
        if made == count:
            return
        made += 1
        yield changed
    while made < count:
        made += 1
        yield flipped(raw, drawn)


def flipped(raw: bytes, drawn: random.Random) -> bytes:
    """Return the file with one byte changed: to any other, or to one that looks as if it belonged there."""
    spot = drawn.randrange(len(raw))
    byte = drawn.randrange(256) if drawn.random() < 0.3 else drawn.choice(b'abcxyzABC0123456789-_+/=:."{}[], \\\n')
    return raw[:spot] + bytes([byte if byte != raw[spot] else byte ^ 1]) + raw[spot + 1 :]


def means_the_same(one: bytes, other: bytes) -> bool:
    """Say whether two files are the same JSON: spaces, the order of keys and ways to write a letter don't count.

    One that is too large to be read is not the same as any.
    """
    if max(len(one), len(other)) > checking.LARGEST:
        return False
    try:
        return json.dumps(strict_json.parse(one), sort_keys=True) == json.dumps(
            strict_json.parse(other), sort_keys=True
        )
    except Invalid:
        return False


def _every_value(raw: bytes) -> Iterator[bytes]:
    given = json.loads(raw)
    for place in list(_places(given)):
        for change in _changes(_at(given, place)):
            yield json.dumps(_with(given, place, change), ensure_ascii=False).encode()
        if place:
            yield json.dumps(_without(given, place), ensure_ascii=False).encode()
    text = raw.decode()
    yield text.replace('"@type"', '"@type": 1, "@type"', 1).encode()
    yield text.replace("{", '{"x": null,', 1).encode()
    yield b"\xef\xbb\xbf" + raw
    yield raw + b" {}"
    yield raw[:-1]
    yield raw.replace(b"shop", b"\\u0073hop")  # the same JSON
    yield raw.replace(b": 1", b": 1.0")
    yield raw.replace(b"/2", b"/\xc0\xb2")
    yield b"[" * 50_000 + raw
    yield b'"' + b"a" * 1_000_000
    yield b"7" * 100_000
    yield b" " * (1 << 20) + raw


_Place = tuple[Any, ...]


def _places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[_Place]:
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from _places(item, (*at, key))


def _changes(value: Any) -> Iterator[Any]:
    match value:
        case bool():
            yield from (not value, 1, None)
        case int():
            yield from (value + 1, float(value), str(value), -value - 1)
        case str():
            middle = len(value) // 2
            yield value[:middle] + ("b" if value[middle : middle + 1] == "a" else "a") + value[middle + 1 :]
            yield from (value + " ", value.swapcase() + "x", "", [value], None, value[:-1] + "\u0301")
        case list():
            yield from ([*value, *value[:1]], [*value, None], [*value[::-1], "x"], {"0": value})
            if len(value) > 1 and value[0] != value[1]:
                yield [value[1], value[0], *value[2:]]
        case dict():
            yield from ({**value, "x": "y"}, {**value, "@id": "urn:x"}, list(value.items()))
        case _:
            yield True


def _at(value: Any, place: _Place) -> Any:
    for step in place:
        value = value[step]
    return value


def _with(value: Any, place: _Place, put: Any) -> Any:
    if not place:
        return put
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[place[0]] = _with(value[place[0]], place[1:], put)
    return copied


def _without(value: Any, place: _Place) -> Any:
    copied = dict(value) if isinstance(value, dict) else list(value)
    if len(place) == 1:
        del copied[place[0]]
    else:
        copied[place[0]] = _without(value[place[0]], place[1:])
    return copied


def fingerprint(raw: bytes) -> str:
    """Return a short name of a file, to say which forgery was let through."""
    return sha256(raw).hexdigest()[:12]
