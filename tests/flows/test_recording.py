"""What customers say goes into the ledger whole, in order and once, or not at all."""

from datetime import timedelta

import pytest

from consent.base.canonical import NotCanonical
from consent.base.errors import (
    ClockBehind,
    CustomerUnknown,
    IdempotencyConflict,
    NothingToRenew,
    Place,
    StatementInvalid,
)
from consent.base.ids import CustomerId
from consent.permission.statement import Act, Method
from consent.register import history, recording

USE, REMEMBER, EMAIL = "use:purchases:recommendations", "remember:purchases", "contact:email:recommendations"
DAY = timedelta(days=1)


def said_by(world, customer):
    with world.store.read() as work:
        return history.of_customer(world.deployment.desk, work, customer)


def test_a_grant_is_in_force_as_soon_as_it_is_recorded(world):
    before = world.reason(world.bo, USE)
    recorded = world.grant(world.bo, USE)
    verdict = world.check(world.bo, USE)

    assert (before, verdict.reason.name, verdict.positions, verdict.position) == (
        "NO_RECORD",
        "PERMIT",
        (recorded.seq,),
        recorded.seq + 1,
    )
    world.check_ledger()


def test_a_withdrawal_is_in_force_as_soon_as_it_is_recorded_and_takes_nothing_else(world):
    before = [world.reason(world.ann, scope) for scope in (USE, EMAIL)]
    world.withdraw(world.ann, USE)

    assert (before, [world.reason(world.ann, scope) for scope in (USE, EMAIL)]) == (
        ["PERMIT", "PERMIT"],
        ["WITHDRAWN", "PERMIT"],
    )
    world.check_ledger()


@pytest.mark.parametrize(("act", "reason"), [("refuse", "REFUSED"), ("object", "OBJECTED"), ("request", "REQUESTED")])
def test_an_answer_is_recorded_as_what_it_is(world, act, reason):
    world.say(world.statement(world.bo, act, USE))

    assert world.reason(world.bo, USE) == reason
    world.check_ledger()


def test_a_recorded_statement_reads_back_word_for_word(world):
    said = world.statement(
        world.bo,
        "grant",
        USE,
        EMAIL,
        said_at=world.clock() - DAY,
        method=Method.PAPER,
        notice_version=1,
        language="de",
        evidence="box 7, sheet 12: »Dürfen wir?« ✓",
    )
    [recorded] = world.say(said, actor="agent 7")
    [read] = said_by(world, world.bo)

    assert (read.statement, read.actor, read.seq, read.at) == (
        recorded.statement,
        "agent 7",
        recorded.seq,
        world.clock(),
    )
    assert (read.statement.evidence, read.statement.said_at) == (said.evidence, said.said_at)
    assert read.statement.valid_until == {
        USE: said.said_at.replace(year=said.said_at.year + 2),
        EMAIL: said.said_at.replace(year=said.said_at.year + 2),
    }
    world.check_ledger()


def test_one_customers_statements_are_chained(world):
    for act in ("grant", "withdraw", "grant"):
        world.say(world.statement(world.bo, act, USE))
    first, second, third = said_by(world, world.bo)

    assert [each.counter for each in (first, second, third)] == [1, 2, 3]
    assert [each.previous for each in (first, second, third)] == [b"", first.leaf, second.leaf]
    world.check_ledger()


def test_many_at_once_equal_one_by_one(world):
    many, single = world.enrol("M1", "M2"), world.enrol("S1", "S2")
    acts = [(0, "grant", USE), (1, "grant", EMAIL), (0, "withdraw", USE), (0, "grant", REMEMBER), (1, "object", EMAIL)]
    size = world.size()

    recorded = world.say(*(world.statement(many[who], act, scope) for who, act, scope in acts))
    for who, act, scope in acts:
        world.say(world.statement(single[who], act, scope))

    assert [(each.seq, each.customer) for each in recorded] == [
        (size + spot, many[who]) for spot, (who, _, _) in enumerate(acts)
    ]
    scopes = (USE, EMAIL, REMEMBER)
    assert [[world.reason(who, scope) for scope in scopes] for who in many] == [
        [world.reason(who, scope) for scope in scopes] for who in single
    ]
    world.check_ledger()


def test_nothing_of_a_batch_is_recorded_where_one_statement_is_wrong(world):
    size = world.size()
    batch = [world.statement(world.bo, "grant", scope) for scope in (USE, "use:dreams:recommendations", EMAIL)]

    with pytest.raises(StatementInvalid) as refused:
        world.say(*batch)

    assert refused.value.places == (
        Place("/statements/1/scopes/0", "'use:dreams:recommendations' is not in the catalogue (version 1)"),
    )
    assert (world.size(), world.reason(world.bo, USE)) == (size, "NO_RECORD")
    world.check_ledger()


def test_nothing_of_a_batch_is_recorded_where_the_last_renews_nothing(world):
    size = world.size()

    with pytest.raises(NothingToRenew) as refused:
        world.say(world.statement(world.bo, "grant", USE), world.statement(world.bo, "renew", USE, EMAIL))

    assert refused.value.places == (Place(EMAIL, "no permission stands that could be renewed"),)
    assert (world.size(), world.reason(world.bo, USE)) == (size, "NO_RECORD")
    world.check_ledger()


def test_nothing_is_recorded_for_somebody_who_is_not_enrolled(world):
    size = world.size()
    nobody = CustomerId("cus_01a1fb67180070008000000000000000")

    with pytest.raises(CustomerUnknown):
        world.say(world.statement(world.bo, "grant", USE), world.statement(nobody, "grant", USE))

    assert (world.size(), world.reason(world.bo, USE)) == (size, "NO_RECORD")
    world.check_ledger()


def test_no_statements_make_no_entry(world):
    size = world.size()
    assert (world.say(), world.size()) == ([], size)


@pytest.mark.parametrize("act", ["grant", "withdraw"])
def test_a_scope_that_is_not_in_the_catalogue_is_refused_by_place(world, act):
    with pytest.raises(StatementInvalid) as refused:
        world.say(world.statement(world.bo, act, USE, "use:dreams:recommendations"))

    assert refused.value.places == (
        Place("/scopes/1", "'use:dreams:recommendations' is not in the catalogue (version 1)"),
    )
    world.check_ledger()


def test_what_was_said_later_than_the_ledgers_own_time_is_refused(world):
    with pytest.raises(StatementInvalid) as refused:
        world.grant(world.bo, USE, said_at=world.clock() + timedelta(milliseconds=1))

    assert [place.where for place in refused.value.places] == ["/said_at"]
    assert world.grant(world.bo, USE, said_at=world.clock()).at == world.clock()
    world.check_ledger()


def test_a_late_paper_form_cannot_undo_a_newer_word(world):
    world.withdraw(world.ann, USE)
    world.clock.advance(days=1)
    world.grant(world.ann, USE, said_at=world.clock() - 2 * DAY, method=Method.PAPER)

    assert world.reason(world.ann, USE) == "WITHDRAWN"
    world.check_ledger()


def test_a_late_withdrawal_takes_its_place_before_a_newer_grant(world):
    world.clock.advance(days=10)
    world.grant(world.bo, USE)
    world.clock.advance(days=1)
    world.withdraw(world.bo, USE, EMAIL, said_at=world.clock() - 5 * DAY)

    assert [world.reason(world.bo, scope) for scope in (USE, EMAIL)] == ["PERMIT", "WITHDRAWN"]
    world.check_ledger()


def test_a_late_statement_in_a_batch_leaves_what_the_batch_said_before_it(world):
    # Only the database held the history that the late one was folded into: the grant beside it was lost.
    world.clock.advance(days=1)
    world.say(
        world.statement(world.bo, "grant", USE),
        world.statement(world.bo, "grant", REMEMBER, said_at=world.clock() - DAY),
        world.statement(world.bo, "grant", EMAIL),
    )

    assert [world.reason(world.bo, scope) for scope in (USE, REMEMBER, EMAIL)] == ["PERMIT"] * 3
    world.check_ledger()


def test_a_permission_is_renewed_by_a_newer_word_only(world):
    world.clock.advance(days=365)
    world.say(world.statement(world.ann, "renew", USE))
    world.clock.advance(days=500)

    assert [world.reason(world.ann, scope) for scope in (USE, EMAIL)] == ["PERMIT", "EXPIRED"]
    world.check_ledger()


@pytest.mark.parametrize("act", [None, "refuse", "withdraw", "object", "request"])
def test_there_is_nothing_to_renew_where_nothing_stands(world, act):
    if act:
        world.say(world.statement(world.bo, act, USE))
    size = world.size()

    with pytest.raises(NothingToRenew):
        world.say(world.statement(world.bo, "renew", USE))

    assert world.size() == size
    world.check_ledger()


def test_a_permission_ends_by_the_time_of_the_check_with_nothing_running(world):
    end = world.grant(world.bo, USE).statement.valid_until[USE]

    world.clock.set(end - timedelta(seconds=1))
    before = world.reason(world.bo, USE)
    world.clock.set(end)

    assert (before, world.reason(world.bo, USE)) == ("PERMIT", "EXPIRED")
    world.check_ledger()


def test_a_pause_ends_by_itself_and_a_restriction_when_it_is_lifted(world):
    world.say(world.statement(world.ann, "pause", until=world.clock() + DAY))
    paused = world.reason(world.ann, USE)
    world.clock.advance(days=1)
    over = world.reason(world.ann, USE)
    world.say(world.statement(world.ann, "restrict"))
    restricted = [world.reason(world.ann, scope) for scope in (USE, "contact:email:service")]
    world.say(world.statement(world.ann, "lift"))

    assert (paused, over, restricted, world.reason(world.ann, USE)) == (
        "PAUSED",
        "PERMIT",
        ["RESTRICTED"] * 2,
        "PERMIT",
    )
    world.check_ledger()


@pytest.mark.parametrize("scope", ["use:purchases:recommendations", "use:responses:measurement"])
def test_any_no_ends_consent_and_legitimate_interest(world, scope):
    assert world.reason(world.ann, scope) == "PERMIT"
    world.object(world.ann, scope)
    assert world.reason(world.ann, scope) == "OBJECTED"
    world.check_ledger()


# -------------------------------------------------------------------------------------------------- once and only once


def test_the_same_key_and_request_again_give_the_same_entry(world):
    said = [world.statement(world.bo, "grant", USE), world.statement(world.ann, "withdraw", USE)]
    first = world.say(*said, key="form 1")
    size = world.size()
    world.clock.advance(minutes=5)
    again = world.say(*said, key="form 1")

    assert [each.repeated for each in (*first, *again)] == [False, False, True, True]
    assert [(each.customer, each.seq, each.at, each.statement) for each in again] == [
        (each.customer, each.seq, each.at, each.statement) for each in first
    ]
    assert world.size() == size
    world.check_ledger()


def test_the_same_key_with_another_request_is_a_conflict(world):
    world.say(world.statement(world.bo, "grant", USE), key="form 1")
    size = world.size()

    with pytest.raises(IdempotencyConflict):
        world.say(world.statement(world.bo, "grant", EMAIL), key="form 1")

    assert (world.size(), world.reason(world.bo, EMAIL)) == (size, "NO_RECORD")
    world.check_ledger()


def test_a_key_is_its_actors_own(world):
    world.say(world.statement(world.bo, "grant", USE), key="1", actor="shop")
    [other] = world.say(world.statement(world.bo, "grant", EMAIL), key="1", actor="phone")

    assert (other.repeated, world.reason(world.bo, EMAIL)) == (False, "PERMIT")
    world.check_ledger()


def test_a_key_whose_request_was_refused_is_free_again(world):
    with pytest.raises(StatementInvalid):
        world.say(world.statement(world.bo, "grant", "use:dreams:recommendations"), key="form 1")
    [recorded] = world.say(world.statement(world.bo, "grant", USE), key="form 1")

    assert recorded.repeated is False
    world.check_ledger()


def test_an_answer_that_was_lost_on_the_way_is_found_again(world):
    # The transaction committed, but the caller never heard of it: his retry must neither fail nor write twice.
    said = world.statement(world.bo, "grant", USE)
    [first] = world.say(said, key="form 1")
    world.withdraw(world.bo, USE)
    size = world.size()
    [again] = world.say(said, key="form 1")

    assert (again.seq, again.repeated, world.size(), world.reason(world.bo, USE)) == (
        first.seq,
        True,
        size,
        "WITHDRAWN",
    )
    world.check_ledger()


# --------------------------------------------------------------------------------------------------------------- time


def test_recorded_time_never_goes_back(world):
    first = world.grant(world.bo, USE)
    world.clock.advance(seconds=-5)
    second = world.grant(world.bo, EMAIL)

    assert (second.at, second.seq) == (first.at, first.seq + 1)
    world.check_ledger()


def test_a_clock_more_than_five_seconds_behind_is_refused(world):
    world.grant(world.bo, USE)
    size = world.size()
    world.clock.advance(milliseconds=-5_001)

    with pytest.raises(ClockBehind, match=r"by 5\.0 s"):
        world.withdraw(world.bo, USE)

    assert world.size() == size
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------------ the rest


@pytest.mark.parametrize("field", ["evidence", "language"])
@pytest.mark.parametrize("text", ["\ud800", "e\u0301"])
def test_text_outside_the_canonical_form_is_refused_and_nothing_is_recorded(world, field, text):
    size = world.size()

    with pytest.raises(NotCanonical) as refused:
        world.grant(world.bo, USE, **{field: text})

    assert [place.where.rpartition("/")[2] for place in refused.value.places] == [field]
    assert world.size() == size
    world.check_ledger()


def test_a_no_to_remembering_forgets_at_once_what_was_remembered(world):
    world.remember(world.ann, spend_past_year=12.5, main_interest="tea")
    kept = "SELECT category FROM memory WHERE customer = :who ORDER BY category"
    before = world.rows(kept, who=world.ann)
    world.withdraw(world.ann, REMEMBER)

    assert (before, world.rows(kept, who=world.ann)) == ([("interests",), ("purchases",)], [("interests",)])
    world.check_ledger()


def test_what_an_earlier_transaction_rolled_back_leaves_no_trace(world):
    size = world.size()
    desk, at = world.deployment.desk, world.clock()

    def record_and_fail():
        with world.store.write() as work:
            recording.record(desk, work, [world.statement(world.bo, "grant", USE)], actor="customer", at=at)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        record_and_fail()

    assert (world.size(), world.reason(world.bo, USE), world.grant(world.bo, EMAIL).seq) == (size, "NO_RECORD", size)
    world.check_ledger()


def test_every_act_is_recorded_and_proven(world):
    for act in Act:
        scopes = () if act in (Act.PAUSE, Act.RESUME, Act.RESTRICT, Act.LIFT) else (USE,)
        world.say(world.statement(world.ann, act, *scopes)) if act is not Act.RENEW else None
    world.check_ledger()
