"""Text that a database, a cipher or JSON can't hold is refused as wrong or unknown, and leaves nothing behind."""

from contextlib import suppress

import pytest

from consent import gate
from consent.base.errors import ByleaveError, CustomerUnknown, Invalid
from consent.base.ids import CustomerId
from consent.ledger.entry import Kind
from consent.register import customers, publishing
from consent.uses import Use

SCOPE = "use:purchases:recommendations"
TABLES = ("customer", "identity", "memory", "ledger_entry", "ledger_payload", "idempotency", "data_use", "standing")

# What a database refuses (NUL on PostgreSQL), what UTF-8 has no bytes for, and what is no canonical text.
NUL, HALF, LOOSE = "a\x00b", "a\ud800b", "cafe\u0301"
MALFORMED = [pytest.param(NUL, id="NUL"), pytest.param(HALF, id="half a pair"), pytest.param(LOOSE, id="not composed")]
UNSTORABLE = MALFORMED[:2]


@pytest.fixture
def counted(world):
    """Return the world, and a function that counts all rows it holds."""
    return world, lambda: {name: world.rows(f"SELECT COUNT(*) FROM {name}") for name in TABLES}  # noqa: S608 -- our own


@pytest.mark.parametrize("text", [HALF, LOOSE], ids=["half a pair", "not composed"])
@pytest.mark.parametrize("field", ["evidence", "language"])
def test_a_statement_that_cannot_be_written_canonically_is_refused(counted, field, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError) as refused:
        world.grant(world.bo, SCOPE, **{field: text})

    assert [place.where.rpartition("/")[2] for place in refused.value.places] == [field]
    assert count() == before
    world.check_ledger()


@pytest.mark.parametrize("text", [HALF, LOOSE], ids=["half a pair", "not composed"])
def test_an_actor_that_cannot_be_written_canonically_is_refused(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError):
        world.say(world.statement(world.bo, "grant", SCOPE), actor=text)
    assert count() == before


@pytest.mark.parametrize("text", MALFORMED)
def test_a_scope_of_malformed_text_is_not_in_the_catalogue(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError) as refused:
        world.grant(world.bo, text)

    assert [place.where for place in refused.value.places] == ["/scopes/0"]
    assert world.reason(world.ann, text) == "UNKNOWN_SCOPE"
    with world.store.read() as work:
        found = gate.permits(world.deployment.desk, work, [world.ann], [text], at=world.clock())
    assert found.permitted(text).tolist() == [False]
    assert count() == before


@pytest.mark.parametrize("text", UNSTORABLE)
def test_nobody_has_an_id_of_malformed_text(counted, text):
    world, count = counted
    before, desk, who = count(), world.deployment.desk, CustomerId(text)
    with pytest.raises((CustomerUnknown, Invalid)):
        world.check(who, SCOPE)
    with pytest.raises((CustomerUnknown, Invalid)):
        world.grant(who, SCOPE)
    permitted = []
    with suppress(Invalid), world.store.read() as work:
        permitted = gate.permits(desk, work, [world.ann, who], [SCOPE], at=world.clock()).permitted(SCOPE).tolist()
    assert permitted in ([], [True, False])
    assert count() == before


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize("kind", ["reference", "email"])
def test_nobody_is_found_by_malformed_text(counted, kind, text):
    world, count = counted
    before = count()
    with pytest.raises((CustomerUnknown, Invalid)), world.store.read() as work:
        customers.find(world.deployment.desk, work, text, kind=kind)
    assert count() == before


@pytest.mark.parametrize("text", [HALF], ids=["half a pair"])
def test_nobody_is_enrolled_by_text_that_has_no_bytes(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError), world.store.write() as work:
        customers.enrol(world.deployment.desk, work, [{"reference": "GOOD"}, {"reference": text}], at=world.clock())
    assert count() == before


@pytest.mark.parametrize("text", [HALF], ids=["half a pair"])
def test_a_fact_that_has_no_bytes_is_not_remembered(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError) as refused:
        world.remember(world.ann, spend_past_year=1.0, last_purchase_category=text)
    assert ([place.where for place in refused.value.places], count()) == (["last_purchase_category"], before)


@pytest.mark.parametrize("text", [NUL, LOOSE], ids=["NUL", "not composed"])
def test_what_can_be_sealed_comes_back_as_it_was(world, text):
    world.remember(world.ann, last_purchase_category=text)
    found = world.recall([world.ann], ["last_purchase_category"], purpose="recommendations")
    assert found == [{"last_purchase_category": text}]


@pytest.mark.parametrize("text", UNSTORABLE)
@pytest.mark.parametrize("field", ["actor", "reason", "decision", "purpose"])
def test_a_use_that_cannot_be_written_down_opens_nothing(counted, field, text):
    world, count = counted
    world.remember(world.ann, spend_past_year=1.0)
    before, desk = count(), world.deployment.desk
    said = {"actor": "mia", "purpose": "recommendations", "reason": "a test", field: text}
    with world.store.read() as work:
        permitted = gate.permits(desk, work, [world.ann], [SCOPE], at=world.clock())
    with pytest.raises(ByleaveError), world.store.write() as work:
        gate.recall(desk, work, permitted, attributes=["spend_past_year"], use=Use(**said))
    assert count() == before


@pytest.mark.parametrize("text", UNSTORABLE)
def test_an_idempotency_key_of_malformed_text_is_a_key_or_refused(counted, text):
    world, count = counted
    before = count()
    said = world.statement(world.bo, "grant", SCOPE)
    try:
        [first], [again] = (world.say(said, key=text) for _ in range(2))
        assert (first.seq, again.repeated) == (again.seq, True)
    except ByleaveError:
        assert count() == before
    world.check_ledger()


@pytest.mark.parametrize("text", MALFORMED)
def test_no_log_is_named_by_malformed_text(blank, text):
    with pytest.raises(ByleaveError), blank.store.write() as work:
        publishing.found(blank.deployment.desk, work, text, at=blank.clock())
    assert blank.rows("SELECT * FROM ledger_log") == []


@pytest.mark.parametrize("text", [HALF, LOOSE], ids=["half a pair", "not composed"])
def test_a_note_that_cannot_be_written_canonically_is_refused(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError), world.store.write() as work:
        publishing.note(world.deployment.desk, work, Kind.AUDIT_COMPLETED, {"said": text}, at=world.clock())
    assert count() == before
    world.check_ledger()


@pytest.mark.parametrize(
    "text", ['name = "a\x00b"', 'name = "a\ud800b"', 'name = "a\\u0000b"', 'name = "a\\ud800b"', "\ufeffname = 'x'"]
)
def test_a_catalogue_of_malformed_text_is_refused(counted, text):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError):
        world.publish(text)
    assert count() == before


def test_a_long_text_is_refused_before_it_is_sealed(counted):
    world, count = counted
    before = count()
    with pytest.raises(ByleaveError):
        world.say(world.statement(world.bo, "grant", SCOPE), actor="x" * (1 << 20))
    assert count() == before
