"""A customer is erased: the key that opens him, what it opens, and everything that names him; the proofs stay."""

import pytest
import sqlalchemy as sa

from consent import gate
from consent.base.errors import CustomerErased, CustomerUnknown, KeyLost
from consent.base.ids import CustomerId, Scope
from consent.ledger import checkpoint, merkle, note
from consent.permission.verdict import Reason
from consent.register import customers, history, links, merging, proving, publishing
from consent.rights import erasing, verifying_erasure
from consent.rights.erasing import Ground
from consent.rights.erasure_list import Event
from tests.erasing import erase, suppress, verify

MAIL = "contact:email:recommendations"
STRANGER = CustomerId("cus_019aa0b7e1a87000800000000000a0a0")


def left(world, customer):
    """Return how many rows name a customer as theirs, by table."""
    places = {
        "data_key": "owner", "ledger_payload": "owner", "memory": "customer", "identity": "customer",
        "idempotency": "owner", "data_use": "customer", "contact": "customer", "web_session": "subject",
        "link": "subject", "confirmation": "customer", "reminder": "customer",
    }  # fmt: skip
    query = "SELECT COUNT(*) FROM {} WHERE {} = :who"
    counted = {table: world.rows(query.format(table, column), who=customer)[0][0] for table, column in places.items()}
    return {table: count for table, count in counted.items() if count}


def told(world, position):
    """Return what an entry of the deployment's own says."""
    with world.store.read() as work:
        return publishing.noted(world.deployment.desk, work, 1, position)


def test_an_erasure_deletes_the_key_and_everything_that_names_the_customer(world):
    world.remember(world.ann, spend_past_year=12.5)
    world.say(world.statement(world.ann, "withdraw", MAIL), key="again")
    world.recall([world.ann], ["spend_past_year"], purpose="recommendations")
    before, others = left(world, world.ann), left(world, world.bo)
    done = erase(world, world.ann)

    assert before == {"data_key": 1, "ledger_payload": 2, "memory": 1, "identity": 2, "idempotency": 1}
    assert done.deleted == before
    assert (left(world, world.ann), left(world, world.bo)) == ({}, others)
    world.check_ledger()


def test_what_stays_is_a_tombstone_that_says_erased_and_nothing_else(world):
    done = erase(world, world.ann)
    [row] = world.rows("SELECT mask, states, counter, last_leaf, scopes FROM standing WHERE customer = :a", a=world.ann)
    [tomb] = world.rows("SELECT erased_at, position, verified_at FROM erasure WHERE customer = :a", a=world.ann)

    assert row == (b"", 1, 0, b"", b"")
    assert tomb[1:] == (done.position, None)
    assert world.rows("SELECT COUNT(*) FROM customer WHERE id = :a", a=world.ann) == [(1,)]
    assert {world.reason(world.ann, scope) for scope in (MAIL, "use:purchases:recommendations", "no:such")} == {
        "CUSTOMER_ERASED"
    }


def test_the_ledger_says_who_was_erased_why_and_by_whom_in_the_deployments_own_name(world):
    done = erase(world, world.ann, ground=Ground.OBJECTED)
    assert told(world, done.position) == {"actor": world.cy, "erased": world.ann, "ground": "objected"}
    assert world.size() == done.position + 1


def test_nothing_of_what_was_sealed_opens_any_more(world):
    world.remember(world.ann, spend_past_year=12.5)
    sealed = world.rows("SELECT sealed FROM memory WHERE customer = :a", a=world.ann)
    erase(world, world.ann)

    with world.store.read() as work, pytest.raises(KeyLost, match="there is no data key of this customer"):
        world.deployment.desk.data_key(work, world.ann)
    with world.store.read() as work:
        assert history.of_customer(world.deployment.desk, work, world.ann) == []
    assert (len(sealed), world.rows("SELECT COUNT(*) FROM memory")) == (1, [(0,)])


def test_he_is_found_by_no_name_any_more_and_the_name_is_free(world):
    erase(world, world.ann)
    with world.store.read() as work, pytest.raises(CustomerUnknown):
        customers.find(world.deployment.desk, work, "ANN")
    [again] = world.enrol("ANN")

    assert again != world.ann
    assert world.reason(again, MAIL) == "NO_RECORD"
    world.check_ledger()


def test_a_proof_that_was_out_before_still_holds(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    position = world.rows("SELECT MAX(seq) FROM ledger_payload WHERE owner = :a", a=world.ann)[0][0]
    with world.store.read() as work:
        before = proving.inclusion(work, position)
    erase(world, world.ann)
    with world.store.read() as work:
        after = proving.inclusion(work, position)
        verifier = proving.verifier_key(world.deployment.desk, work)
    signed = checkpoint.open_checkpoint(after.checkpoint, note.verifier_of(verifier))

    assert after == before
    merkle.verify_inclusion(
        after.leaf_hash, index=after.seq, size=signed.size, proof=list(after.path), root=signed.root
    )  # fmt: skip


def test_once_more_is_the_same_and_writes_nothing(world):
    first = erase(world, world.ann)
    size = world.size()
    world.clock.advance(days=1)
    again = erase(world, world.ann, ground=Ground.CHILD)

    assert (first.repeated, again.repeated) == (False, True)
    assert (again.customer, again.at, again.position) == (first.customer, first.at, first.position)
    assert (world.size(), again.deleted) == (size, {})
    assert [line.event for line in world.deployment.erasures.lines()] == [Event.ERASING, Event.ERASED]


def test_somebody_who_never_was_here_can_not_be_erased(world):
    with pytest.raises(CustomerUnknown):
        erase(world, STRANGER)
    assert list(world.deployment.erasures.lines()) == []


GRANTING = ("grant", "renew", "resume", "lift")


@pytest.mark.parametrize("act", GRANTING)
def test_nothing_can_be_allowed_in_the_name_of_somebody_erased(act, world):
    done = erase(world, world.ann)
    scopes = () if act in ("resume", "lift") else (MAIL,)

    with pytest.raises(CustomerErased) as refused:
        world.say(world.statement(world.ann, act, *scopes))

    assert [place.why for place in refused.value.places] == ["was erased: nothing can be allowed in this name"]
    assert world.size() == done.position + 1


LESSENING = ("withdraw", "refuse", "object", "pause", "restrict")


@pytest.mark.parametrize("act", LESSENING)
def test_a_no_of_somebody_erased_is_taken_and_answered_by_the_entry_that_took_everything_back(act, world):
    done = erase(world, world.ann)
    scopes = () if act in ("pause", "restrict") else (MAIL,)
    [said] = world.say(world.statement(world.ann, act, *scopes), key="k")
    [again] = world.say(world.statement(world.ann, act, *scopes), key="k")

    assert (said.seq, said.at, said.repeated) == (done.position, done.at, True)
    assert again == said
    assert (world.size(), left(world, world.ann)) == (done.position + 1, {})
    world.check_ledger()


def test_a_link_in_an_old_mail_still_withdraws_from_somebody_erased(world):
    """Rule 6: a link of long ago can still withdraw."""
    token = links.sign(world.deployment.desk, world.ann, [Scope(MAIL)], at=world.clock())
    done = erase(world, world.ann)
    world.clock.advance(days=730)
    with world.store.write() as work:
        [said] = links.withdraw(world.deployment.desk, work, token, at=world.clock())
    assert (said.seq, said.repeated) == (done.position, True)


def test_a_request_about_several_has_to_leave_the_erased_one_out(world):
    erase(world, world.ann)
    size = world.size()
    both = [world.statement(world.bo, "grant", MAIL), world.statement(world.ann, "withdraw", MAIL)]
    with pytest.raises(CustomerErased) as refused:
        world.say(*both)
    assert [tuple(place) for place in refused.value.places] == [("/statements/1", "was erased: leave it out")]
    assert world.size() == size


def test_of_somebody_erased_nothing_is_remembered_and_nothing_recalled(world):
    erase(world, world.ann)
    assert world.remember(world.ann, spend_past_year=12.5).stored == 0
    assert world.recall([world.ann], ["spend_past_year"], purpose="recommendations") == [{"spend_past_year": None}]
    with world.store.read() as work:
        permitted = gate.permits(world.deployment.desk, work, [world.ann], [MAIL], at=world.clock())
    assert permitted.reasons.tolist() == [[Reason.CUSTOMER_ERASED]]


def test_his_addresses_can_be_left_alone_for_good(world):
    """Rule 11: an erased, suppressed address that is brought in again stays denied."""
    done = erase(world, world.ann, suppress=True)
    with world.store.write() as work:
        names = [{"reference": "ANN2", "email": "Ann@Shop.example "}, {"reference": "ANN"}]
        back, other = customers.enrol(world.deployment.desk, work, names, at=world.clock())
    world.grant(back, MAIL)
    world.grant(other, MAIL)

    assert done.suppressed == 1
    assert (world.reason(back, MAIL), world.reason(other, MAIL)) == ("SUPPRESSED", "PERMIT")
    world.check_ledger()


def test_a_suppression_that_was_there_before_survives(world):
    """Rule 11: suppression survives erasure."""
    before = suppress(world, "ann@shop.example")
    erase(world, world.ann)
    with world.store.write() as work:
        [back] = customers.enrol(world.deployment.desk, work, [{"email": "ann@shop.example"}], at=world.clock())
    world.grant(back, MAIL)

    assert before.customers == 1
    assert world.reason(back, MAIL) == "SUPPRESSED"
    assert suppress(world, "ann@shop.example").changed is False


# ------------------------------------------------------------------------------------------------------------ the proof


def test_that_nothing_is_left_is_proved_and_entered_in_the_ledger(world):
    erased = erase(world, world.ann)
    world.clock.advance(seconds=5)
    done = verify(world)
    [tomb] = world.rows("SELECT verified_position FROM erasure WHERE customer = :a", a=world.ann)

    assert (done.proved, done.left) == ((world.ann,), {})
    assert told(world, tomb[0]) == {"tables": done.tables, "verified": world.ann}
    assert (tomb[0], world.size()) == (erased.position + 1, erased.position + 2)
    assert verify(world).proved == ()
    world.check_ledger()


def test_what_came_to_stand_in_his_name_meanwhile_goes_before_the_proof(world):
    erase(world, world.ann)
    world.tamper("INSERT INTO memory VALUES (:a, 'purchases', :s, 0)", a=world.ann, s=b"late")
    world.tamper(
        "INSERT INTO contact (customer, decision, campaign, treatment, offer, channel, purpose, status, reserved_at) "
        "VALUES (:a, 'd', 'c', 't', 'o', 'email', 'p', 'reserved', 0)",
        a=world.ann,
    )  # fmt: skip
    assert (verify(world).proved, left(world, world.ann)) == ((world.ann,), {})


TRACES = {
    "job_run.detail": "INSERT INTO job_run VALUES ('x', 0, 's', 'h', 1, 0, 'for :a')",
    "api_key.name": "INSERT INTO api_key VALUES ('k', 'p', '', ':a', 'agent', '', 0, NULL, NULL, NULL)",
}


@pytest.mark.parametrize("trace", TRACES)
def test_who_is_still_named_somewhere_is_not_proved_to_be_gone(trace, world):
    erase(world, world.ann)
    world.tamper(TRACES[trace].replace(":a", str(world.ann)))
    size = world.size()
    done = verify(world)

    assert (done.proved, done.left) == ((), {world.ann: (trace,)})
    assert (world.size(), erasing_waits(world)) == (size, True)


def erasing_waits(world):
    with world.store.read() as work:
        return erasing.waiting_since(work) is not None


def test_every_text_of_every_table_is_looked_through(world):
    tables = sa.inspect(world.store.engines.read)
    with world.store.read() as work:
        looked = set(verifying_erasure._places(work))
    texts = {
        (table, column["name"])
        for table in tables.get_table_names()
        for column in tables.get_columns(table)
        if isinstance(column["type"], sa.Text)
    }
    exempt = {
        place for place in texts if place in verifying_erasure.EXEMPT or (place[0], "*") in verifying_erasure.EXEMPT
    }
    unused = {place for place in verifying_erasure.EXEMPT if place[1] != "*" and place not in texts}

    assert (looked | exempt, looked & exempt, unused) == (texts, set(), set())


def test_the_ledger_itself_says_who_was_erased_whatever_a_table_claims(world):
    done = erase(world, world.ann)
    world.tamper("INSERT INTO erasure VALUES (:b, 0, 0, NULL, 0)", b=world.bo)
    with world.store.read() as work:
        assert erasing.proven(world.deployment.desk, work, [world.ann, world.bo]) == {world.ann: done.position}


# ----------------------------------------------------------------------------------------------------- SQLite's journal


def journal(world):
    file = world.store.file
    return file.with_name(file.name + "-journal")


def test_the_journal_that_stays_holds_a_deleted_key_until_it_is_dropped(sqlite_world):
    """ADR 19: pages as they were before the newest transaction lie in the journal."""
    world = sqlite_world
    [(wrapped,)] = world.rows("SELECT wrapped FROM data_key WHERE owner = :a", a=world.ann)
    world.tamper("DELETE FROM data_key WHERE owner = :a", a=world.ann)
    if not journal(world).exists():
        return  # this SQLite has a write-ahead log that is safe: there is no such journal
    in_database = wrapped in world.store.file.read_bytes()
    in_journal = wrapped in journal(world).read_bytes()
    world.store.drop_journal()
    afterwards = journal(world).exists()
    world.grant(world.bo, MAIL)

    assert (in_database, in_journal, afterwards) == (False, True, False)
    assert journal(world).exists()  # it stays again from then on
    assert wrapped not in journal(world).read_bytes()


def test_an_erasure_leaves_no_journal(sqlite_world):
    erase(sqlite_world, sqlite_world.ann)
    assert journal(sqlite_world).exists() is False
    assert sqlite_world.rows("PRAGMA integrity_check") == [("ok",)]


# -------------------------------------------------------------------------------------------------- two records of one


@pytest.mark.parametrize("asked_as", ["survivor", "former"])
def test_whoever_was_two_records_is_erased_as_both(asked_as, world):
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.bo, world.ann, actor=world.cy, at=world.clock())
    done = erase(world, world.bo if asked_as == "former" else world.ann)
    states = dict(world.rows("SELECT customer, states FROM standing"))

    assert sorted(done.positions) == sorted([world.ann, world.bo])
    assert (left(world, world.ann), left(world, world.bo)) == ({}, {})
    assert (states[world.ann], states[world.bo]) == (1, 1)
    assert world.rows("SELECT COUNT(*) FROM merger") == [(0,)]
    assert sorted(verify(world).proved) == sorted([world.ann, world.bo])
    assert len(world.deployment.erasures.outlasting().erased) == 2
    world.check_ledger()
