"""Laws of receipts: what was recorded holds; whatever says anything else is refused, and no other error comes of it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent.base import strict_json
from consent.base.ids import Scope
from consent.catalogue import terms
from consent.ledger.entry import Kind
from consent.permission.statement import WHOLE_CUSTOMER, Act, Method
from consent.receipts import checking, document, form
from consent.receipts.checking import Holds, Refused
from tests.builders import ANN, CATALOGUE, START, published_catalogue, statement
from tests.receipts import (
    MUTATIONS,
    SIGNER,
    VERIFIER,
    forgeries,
    means_the_same,
    payload_of,
    proof_of,
    sealed,
    spoilt,
    typical,
    varied,
    written,
)

PUBLISHED = published_catalogue()
SCOPES = tuple(Scope(table["scope"]) for table in CATALOGUE["scope"])


@st.composite
def sayings(draw):
    """Draw a statement as the register completes it, about scopes of every operation and legal basis."""
    act, method = draw(st.sampled_from(Act)), draw(st.sampled_from(Method))
    alone = act in WHOLE_CUSTOMER or (act is Act.REFUSE and method is Method.SIGNAL)
    named = [] if alone else draw(st.lists(st.sampled_from(SCOPES), min_size=1, max_size=4, unique=True))
    return statement(
        ANN,
        act,
        *named,
        method=method,
        language=draw(st.sampled_from(["", "en", "de", "de-AT", "fr"])),
        evidence=draw(st.sampled_from(["", "tape 7", "Akte „Ä“ 😀"])),
        notices=dict.fromkeys(named, 1) or None,
        valid_until=dict.fromkeys(named[:2], START.replace(year=2028)) or None if act is Act.GRANT else None,
        awaiting=frozenset(named[:1]) if act is Act.GRANT and draw(st.booleans()) else frozenset(),
        until=START.replace(year=2027) if act is Act.PAUSE else None,
        age=draw(st.sampled_from([0, 15, 40])),
        guardian=draw(st.booleans()),
    )


@given(said=sayings(), size=st.integers(1, 40), data=st.data())
def test_what_was_recorded_holds(said, size, data):
    proof = proof_of(said, PUBLISHED, seq=data.draw(st.integers(0, size - 1)), size=size)
    held = checking.verdict(written(proof), [VERIFIER])
    assert isinstance(held, Holds), held
    assert (held.proof, held.checkpoint.size) == (proof, size)


@given(said=sayings())
def test_the_hash_of_terms_is_the_same_worked_out_anew_or_not(said):
    asked = (said.scopes, said.notices, said.language)
    again = [terms.told_digest(PUBLISHED, *asked) for _ in range(2)]
    assert again == [terms.digest(terms.told(PUBLISHED, *asked))] * 2


@given(one=sayings(), other=sayings(), data=st.data())
def test_a_part_of_another_receipt_is_refused(one, other, data):
    mine = json.loads(written(proof_of(one, PUBLISHED)))
    theirs = json.loads(written(proof_of(other, PUBLISHED)))
    name = data.draw(st.sampled_from([*mine, *mine[form.PROOF]]))
    whole, part = (mine, theirs) if name in mine else (mine[form.PROOF], theirs[form.PROOF])
    differs = whole[name] != part[name]
    whole[name] = part[name]
    assert isinstance(checking.verdict(json.dumps(mine).encode(), [VERIFIER]), Refused) is differs


@pytest.mark.timeout(300)
def test_ten_thousand_mutations_are_refused_unless_they_say_the_same():
    raw = typical()
    assert isinstance(checking.verdict(raw, [VERIFIER]), Holds)  # nothing else is wrong with it
    passed, refused = [], 0
    for changed in forgeries(raw, MUTATIONS):
        found = checking.verdict(changed, [VERIFIER])
        refused += isinstance(found, Refused)
        if isinstance(found, Holds) is not means_the_same(changed, raw):
            passed.append(changed)
    assert passed == []
    assert refused > MUTATIONS * 3 // 4


def test_what_the_ledgers_own_signer_made_up_is_held_or_refused():
    """Whoever has the key can sign anything; a verifier must survive it."""
    verdicts = [checking.verdict(raw, [VERIFIER]) for raw in spoilt(1_000)]
    assert {type(each) for each in verdicts} == {Holds, Refused}
    assert len({each.why for each in verdicts if isinstance(each, Refused)}) > 8


def test_receipts_of_every_kind_hold():
    refused = [
        found for proof in varied() if not isinstance(found := checking.verdict(written(proof), [VERIFIER]), Holds)
    ]
    assert refused == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**53 - 1) | st.text(st.characters(codec="utf-8"), max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcdefg"), inner, max_size=4),
    max_leaves=8,
)


@given(value=json_values)
@settings(max_examples=200)
def test_any_json_is_refused(value):
    assert isinstance(checking.verdict_on(value, [VERIFIER]), Refused)
    assert isinstance(checking.verdict_on({form.PROOF: value}, [VERIFIER]), Refused)


@given(raw=st.binary(max_size=60))
def test_any_bytes_are_refused(raw):
    assert isinstance(checking.verdict(raw, [VERIFIER]), Refused)


def test_an_entry_that_is_no_statement_is_refused():
    said = statement(ANN, "pause")
    told = terms.told(PUBLISHED, (), None, "")
    proofs = {kind: sealed(payload_of(said, told), told, kind=kind) for kind in Kind}
    assert {
        kind for kind, proof in proofs.items() if isinstance(checking.verdict(written(proof), [VERIFIER]), Holds)
    } == {Kind.STATEMENT}


def test_a_checkpoint_of_another_log_is_refused():
    other = replace(SIGNER, name="other.example/consent/2026h2")
    proof = proof_of(statement(ANN, "pause"), PUBLISHED, signer=other)
    raw = written(proof)
    whys = [checking.verdict(raw, keys) for keys in ([VERIFIER], [other.verifier], [VERIFIER, other.verifier], [])]
    assert [isinstance(each, Refused) for each in whys] == [True] * 4
    assert strict_json.parse(raw) == document.receipt(proof)
