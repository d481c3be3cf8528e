"""Requests by right: deadlines of the calendar, owners, more time for a reason, an answer; and the ledger's trail."""

from datetime import UTC, datetime, timedelta

import pytest

from consent.base.clock import rfc3339
from consent.base.errors import (
    CustomerUnknown,
    IdempotencyConflict,
    RequestInvalid,
    RequestUnfit,
    RightsRequestUnknown,
    StateConflict,
)
from consent.base.ids import CustomerId, Scope
from consent.ledger.position import parts
from consent.permission.standing import RESTRICTED
from consent.register import merging, publishing
from consent.rights import asked, asked_then, correcting, deadlines, exporting, limiting, requests
from consent.rights.asked import Chosen, Event, How, Outcome, Right, State
from consent.rights.requests import Asking
from tests.erasing import erase

CY = "staff:cy"
INTEREST = "use:responses:measurement"
SECRET = "please look at what you wrote about my late aunt Eulalia"


def take_in(world, who, kind=Right.ACCESS, *, key="", actor=CY, **asking):
    with world.store.write() as work:
        return requests.take_in(
            world.deployment.desk, work, who, Asking(kind=kind, **asking), actor=actor, at=world.clock(),
            idempotency_key=key,
        )  # fmt: skip


def act(world, what, request, *given, actor=CY, **more):
    with world.store.write() as work:
        return what(world.deployment.desk, work, request.id, *given, actor=actor, at=world.clock(), **more)


def steps(world, request):
    with world.store.read() as work:
        return asked.steps(work, request.id)


def noted(world, step):
    with world.store.read() as work:
        return publishing.noted(world.deployment.desk, work, *parts(step.position))


def listed(world, most=100, **chosen):
    """Return the ids that a list gives, page after page."""
    found, cursor = [], ""
    while True:
        with world.store.read() as work:
            page, cursor = asked.listed(work, Chosen(**chosen), cursor=cursor, most=most)
        found += [one.id for one in page]
        if not cursor:
            return found


# -------------------------------------------------------------------------------------------------------- deadlines


@pytest.mark.parametrize(
    ("received", "due", "extended"),
    [
        ("2026-11-21", "2026-12-21", "2027-02-21"),
        ("2026-01-31", "2026-02-28", "2026-04-30"),
        ("2028-01-31", "2028-02-29", "2028-04-30"),
        ("2028-01-29", "2028-02-29", "2028-04-29"),
        ("2027-01-29", "2027-02-28", "2027-04-29"),
        ("2026-08-31", "2026-09-30", "2026-11-30"),
        ("2026-11-30", "2026-12-30", "2027-02-28"),
        ("2027-11-30", "2027-12-30", "2028-02-29"),
        ("2026-12-31", "2027-01-31", "2027-03-31"),
        ("2028-02-29", "2028-03-29", "2028-05-29"),
        ("2026-10-31", "2026-11-30", "2027-01-31"),  # from the receipt: the short month takes no day away
    ],
)
def test_deadlines_are_months_of_the_calendar(received, due, extended):
    came = datetime.fromisoformat(f"{received}T09:30:00Z")
    assert rfc3339(deadlines.due(came)) == f"{due}T09:30:00.000Z"
    assert rfc3339(deadlines.due(came, extended=True)) == f"{extended}T09:30:00.000Z"


def test_a_deadline_is_kept_until_its_instant_and_overdue_after_it(world):
    request = take_in(world, world.ann)
    assert rfc3339(request.due_at) == "2026-12-21T10:00:00.000Z"
    for late, at in ((False, request.due_at), (True, request.due_at + timedelta(milliseconds=1))):
        with world.store.read() as work:
            found, cursor = asked.overdue(work, at=at)
            assert ([one.id for one in found], cursor) == ([request.id] if late else [], "")
            assert asked.counts(work, at=at) == (1, int(late))
        assert request.overdue(at) is late
    act(world, requests.close, request, Outcome.REFUSED, answer="We hold nothing of you.")
    with world.store.read() as work:
        assert asked.overdue(work, at=request.due_at + timedelta(days=1)) == ([], "")
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------------- life


def test_a_request_is_taken_in_assigned_extended_and_answered(world):
    received = world.clock() - timedelta(days=3)
    first = take_in(world, world.ann, Right.ACCESS, how=How.LETTER, received_at=received)
    assert (first.state, first.owner, first.due_at) == (State.RECEIVED, "", deadlines.due(received))
    world.clock.advance(days=1)
    assert act(world, requests.assign, first, "staff:dee").state is State.IN_HAND
    given_on = act(world, requests.assign, first, "staff:eve")
    assert (given_on.owner, given_on.state) == ("staff:eve", State.IN_HAND)
    world.clock.advance(days=20)
    longer = act(world, requests.extend, first, "You wrote to us in 40 letters.")
    assert (longer.due_at, longer.extended_at) == (deadlines.due(received, extended=True), world.clock())
    world.clock.advance(days=40)
    with world.store.write() as work:
        exporting.start(
            world.deployment.desk, work, world.ann, exporting.Form.JSON, actor=CY, reason="his letter", at=world.clock()
        )
    done = act(world, requests.close, first, Outcome.FULFILLED, answer="Here it is.")
    assert (done.state, done.outcome, done.closed_at) == (State.CLOSED, Outcome.FULFILLED, world.clock())
    with world.store.read() as work:
        assert asked.find(work, first.id) == done
        words = asked.words(world.deployment.desk, work, done)
    assert (words.wish, words.extension, words.answer) == ("", "You wrote to us in 40 letters.", "Here it is.")
    assert [(step.event, step.detail) for step in steps(world, first)] == [
        (Event.RECEIVED, "letter"), (Event.ASSIGNED, "staff:dee"), (Event.ASSIGNED, "staff:eve"),
        (Event.EXTENDED, rfc3339(longer.due_at)), (Event.CLOSED, "fulfilled"),
    ]  # fmt: skip
    world.check_ledger()


def test_each_step_is_a_ledger_entry_that_quotes_nobody(world):
    request = take_in(world, world.ann, Right.RECTIFICATION, wish=SECRET)
    act(world, requests.extend, request, "It takes a while.")
    told = [noted(world, step) for step in steps(world, request)]
    assert [(one["event"], one["request"], one["customer"], one["step"]) for one in told] == [
        ("received", request.id, world.ann, 1), ("extended", request.id, world.ann, 2),
    ]  # fmt: skip
    assert [sorted(one) for one in told] == [
        ["actor", "customer", "detail", "due_at", "event", "kind", "received_at", "request", "said", "step"]
    ] * 2
    assert "Eulalia" not in str(told)
    assert [len(one["said"]) for one in told] == [43, 43]  # keyed hashes, to hold the words against
    world.check_ledger()


def test_what_was_written_is_sealed_and_gone_with_the_key(world):
    request = take_in(world, world.ann, Right.RECTIFICATION, wish=SECRET)
    [(words,)] = world.rows("SELECT words FROM rights_request")
    assert SECRET.encode() not in bytes(words)
    with world.store.read() as work:
        assert asked.words(world.deployment.desk, work, request).wish == SECRET
    with world.store.write() as work:
        requests.forget_words(work, world.ann)
    with world.store.read() as work:
        assert asked.words(world.deployment.desk, work, request) == asked.Words()
        assert asked.find(work, request.id) == request
    world.check_ledger()


def test_words_of_one_request_do_not_open_in_the_place_of_another(world):
    first = take_in(world, world.ann, wish="one")
    second = take_in(world, world.ann, wish="two")
    world.tamper(
        "UPDATE rights_request SET words = (SELECT words FROM rights_request WHERE id = :first) WHERE id = :second",
        first=first.id, second=second.id,
    )  # fmt: skip
    with world.store.read() as work, pytest.raises(Exception, match="does not open"):
        asked.words(world.deployment.desk, work, second)


def test_the_deadline_is_extended_once_and_within_the_first_month(world):
    request = take_in(world, world.ann)
    with pytest.raises(RequestUnfit):
        act(world, requests.extend, request, "  ")
    act(world, requests.extend, request, "many letters")
    with pytest.raises(StateConflict, match="once"):
        act(world, requests.extend, request, "even more letters")
    late = take_in(world, world.bo)
    world.clock.set(late.due_at + timedelta(seconds=1))
    with pytest.raises(StateConflict, match="within the first month"):
        act(world, requests.extend, late, "too late")
    assert [step.event for step in steps(world, late)] == [Event.RECEIVED]
    world.check_ledger()


def test_a_closed_request_stays_closed(world):
    request = take_in(world, world.ann)
    act(world, requests.close, request, Outcome.WITHDRAWN)
    for what, *given in ((requests.assign, "x"), (requests.extend, "x"), (requests.close, Outcome.WITHDRAWN)):
        with pytest.raises(StateConflict, match="was closed on"):
            act(world, what, request, *given)
    world.check_ledger()


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.PARTLY])
def test_who_is_refused_is_told_why(world, outcome):
    request = take_in(world, world.ann)
    with pytest.raises(RequestUnfit):
        act(world, requests.close, request, outcome)
    assert act(world, requests.close, request, outcome, answer="Because.").outcome is outcome


def test_an_unknown_request_and_an_unknown_customer_are_not_found(world):
    with pytest.raises(CustomerUnknown):
        take_in(world, CustomerId("cus_" + "0" * 32))
    with world.store.write() as work, pytest.raises(RightsRequestUnknown):
        requests.assign(world.deployment.desk, work, "rgt_x", "x", actor=CY, at=world.clock())
    with world.store.read() as work, pytest.raises(RightsRequestUnknown):
        asked.find(work, "rgt_x")


@pytest.mark.parametrize("received", [timedelta(milliseconds=1), -timedelta(days=365 * 60)])
def test_a_request_came_in_between_1970_and_now(world, received):
    with pytest.raises(RequestUnfit):
        take_in(world, world.ann, received_at=world.clock() + received)


def test_words_are_kept_in_one_form_and_within_bounds(world):
    request = take_in(world, world.ann, wish="  cafe\u0301  ")
    with world.store.read() as work:
        assert asked.words(world.deployment.desk, work, request).wish == "caf\u00e9"
    for wish in ("x" * 2_001, "a\x00b"):
        with pytest.raises(RequestInvalid):
            take_in(world, world.ann, wish=wish)


def test_the_same_key_takes_a_request_in_once(world):
    first = take_in(world, world.ann, key="k1", how=How.PROGRAM, wish="all of it")
    size = world.size()
    world.clock.advance(hours=1)
    assert take_in(world, world.ann, key="k1", how=How.PROGRAM, wish="all of it") == first
    assert world.size() == size
    for other in ({"who": world.bo}, {"kind": Right.ERASURE}, {"wish": "half of it"}):
        with pytest.raises(IdempotencyConflict):
            take_in(world, **{"who": world.ann, "key": "k1", "how": How.PROGRAM, "wish": "all of it", **other})
    assert take_in(world, world.ann, key="k1", actor="staff:dee", how=How.PROGRAM, wish="all of it").id != first.id
    assert "all of it" not in str(world.rows("SELECT * FROM rights_request"))


# ------------------------------------------------------------------------------------------------- said to be done


def fulfilled(world, request):
    return act(world, requests.close, request, Outcome.FULFILLED)


def test_nothing_is_closed_as_fulfilled_that_was_not_done(world):
    everything = [take_in(world, world.bo, kind) for kind in Right]
    for request in everything:
        with pytest.raises(StateConflict, match="first"):
            fulfilled(world, request)
    with world.store.read() as work:
        assert asked.counts(work, at=world.clock()) == (len(Right), 0)


def test_what_was_done_can_be_closed_as_fulfilled(world):
    desk, at = world.deployment.desk, world.clock()
    world.grant(world.bo, "remember:interests", "use:interests:recommendations")
    world.remember(world.bo, main_interest="garden")
    by_kind = {kind: take_in(world, world.bo, kind) for kind in (Right.ACCESS, Right.PORTABILITY, Right.RECTIFICATION)}
    with world.store.write() as work:
        correcting.correct(desk, work, world.bo, {"main_interest": "roses"}, actor=CY, reason="asked", at=at)
        exporting.start(desk, work, world.bo, exporting.Form.JSON, actor=CY, reason="asked", at=at)
    assert [fulfilled(world, one).outcome for one in by_kind.values()] == [Outcome.FULFILLED] * 3
    world.check_ledger()


def test_what_a_customer_does_himself_is_a_request_fulfilled_at_once(world):
    desk = world.deployment.desk
    with world.store.write() as work:
        limiting.restrict(desk, work, world.bo, actor="customer", at=world.clock())
    world.clock.advance(minutes=1)
    with world.store.write() as work:
        scopes = limiting.objectionable(desk, work, world.bo)
        limiting.object_to(desk, work, world.bo, scopes, actor="customer", at=world.clock())
    with world.store.read() as work:
        found = asked.of_customer(work, world.bo)
        assert limiting.is_restricted(work, world.bo)
        assert limiting.objectionable(desk, work, world.bo) == []
    assert [(one.kind, one.state, one.outcome) for one in found] == [
        (Right.RESTRICTION, State.CLOSED, Outcome.FULFILLED), (Right.OBJECTION, State.CLOSED, Outcome.FULFILLED),
    ]  # fmt: skip
    assert world.reason(world.bo, "contact:email:service") == "RESTRICTED"
    world.check_ledger()


def test_a_request_that_waits_is_fulfilled_by_what_the_customer_does(world):
    waiting = take_in(world, world.bo, Right.RESTRICTION, how=How.LETTER)
    with world.store.write() as work:
        limiting.restrict(world.deployment.desk, work, world.bo, actor="customer", at=world.clock())
        assert [(one.id, one.outcome) for one in asked.of_customer(work, world.bo)] == [(waiting.id, Outcome.FULFILLED)]


def test_a_restriction_is_lifted_by_a_statement_and_neither_is_made_twice(world):
    desk, at = world.deployment.desk, world.clock()
    with world.store.write() as work, pytest.raises(StateConflict, match="not restricted"):
        limiting.lift(desk, work, world.ann, actor="customer", at=at)
    with world.store.write() as work:
        limiting.restrict(desk, work, world.ann, actor="customer", at=at)
    with world.store.write() as work, pytest.raises(StateConflict, match="already"):
        limiting.restrict(desk, work, world.ann, actor="customer", at=at)
    [(states,)] = world.rows("SELECT states FROM standing WHERE customer = :who", who=world.ann)
    assert states & RESTRICTED
    with world.store.write() as work:
        limiting.lift(desk, work, world.ann, actor="customer", at=at)
    assert world.reason(world.ann, "contact:email:recommendations") == "PERMIT"
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------------ lists


def test_lists_are_in_the_order_of_deadlines_and_walk_everything_once(world):
    start = datetime(2026, 10, 1, tzinfo=UTC)
    made = [take_in(world, world.ann, received_at=start + timedelta(days=day % 4)) for day in range(7)]
    made.sort(key=lambda one: (one.due_at, one.id))
    for most in (1, 2, 3, 7, 100):
        assert listed(world, most) == [one.id for one in made]


def test_lists_are_filtered(world):
    first, second = take_in(world, world.ann), take_in(world, world.bo, Right.OBJECTION)
    act(world, requests.assign, second, "staff:dee")
    third = take_in(world, world.bo)
    act(world, requests.close, third, Outcome.WITHDRAWN)
    assert listed(world, customer=world.bo) == sorted([second.id, third.id])
    assert listed(world, owner="staff:dee") == [second.id]
    assert listed(world, kind=Right.OBJECTION) == [second.id]
    assert listed(world, state=State.CLOSED) == [third.id]
    assert listed(world, still_open=True) == sorted([first.id, second.id])
    assert listed(world, overdue_at=first.due_at + timedelta(seconds=1)) == sorted([first.id, second.id])


@pytest.mark.parametrize("cursor", ["x", "1.rgt_x", "00000000000001.cus_" + "0" * 32, "00000000000001.rgt_00"])
def test_a_cursor_that_nobody_gave_out_is_refused(world, cursor):
    with world.store.read() as work, pytest.raises(RequestInvalid):
        asked.listed(work, Chosen(), cursor=cursor)


def shown(world, at, as_of=None):
    """Return all that lists and requests show, for an instant."""
    choices = [
        {}, {"still_open": True}, {"overdue_at": at}, {"owner": "staff:dee"}, {"customer": world.bo},
        {"kind": Right.OBJECTION}, *({"state": state} for state in State),
    ]  # fmt: skip
    with world.store.read() as work:
        lists = [asked_then.listed(work, Chosen(**each), as_of)[0] for each in choices]
        each = [asked_then.found(work, one.id, as_of) for one in lists[0]]
        return lists, each, asked_then.counts(work, at=at, as_of=as_of)


def test_rule_16_requests_are_shown_as_they_stood_at_any_time(world):
    seen = []

    def pause():
        seen.append((world.clock(), shown(world, world.clock())))
        world.clock.advance(days=9)

    pause()
    first = take_in(world, world.ann, received_at=world.clock() - timedelta(days=5))
    second = take_in(world, world.bo, Right.OBJECTION)
    pause()
    act(world, requests.assign, second, "staff:dee")
    pause()
    act(world, requests.assign, second, "staff:cy")
    act(world, requests.extend, second, "There is much of it.")
    pause()
    act(world, requests.close, first, Outcome.REFUSED, answer="It was asked twice.")
    third = take_in(world, world.bo)
    pause()
    act(world, requests.close, third, Outcome.WITHDRAWN)
    for _ in range(10):
        pause()
    for at, then in seen:
        assert shown(world, at, as_of=at) == then
    assert {counts for _, (_, _, counts) in seen} >= {(0, 0), (2, 0), (1, 1)}
    with world.store.read() as work, pytest.raises(RightsRequestUnknown):
        asked_then.found(work, first.id, seen[0][0])


def test_what_was_written_later_is_not_shown_of_a_time_before(world):
    one = take_in(world, world.ann)
    world.clock.advance(days=1)
    begun = world.clock()
    world.clock.advance(days=1)
    act(world, requests.extend, one, "There is much of it.")
    extended = world.clock()
    world.clock.advance(days=1)
    act(world, requests.close, one, Outcome.PARTLY, answer="That is all there is.")
    with world.store.read() as work:
        words = asked.words(world.deployment.desk, work, one)
        then = [asked_then.told(asked_then.found(work, one.id, at)[0], words) for at in (begun, extended, None)]
    assert [(each.extension, each.answer) for each in then] == [
        ("", ""), ("There is much of it.", ""), ("There is much of it.", "That is all there is."),
    ]  # fmt: skip


def test_lists_of_a_past_time_walk_everything_once(world):
    made = [take_in(world, world.ann, received_at=world.clock() - timedelta(hours=day % 4)) for day in range(7)]
    made.sort(key=lambda one: (one.due_at, one.id))
    at = world.clock()
    world.clock.advance(days=1)
    act(world, requests.close, made[2], Outcome.WITHDRAWN)
    for most in (1, 3, 7, 100):
        found, cursor = [], "begin"
        while cursor:
            with world.store.read() as work:
                page, cursor = asked_then.listed(
                    work, Chosen(), at, cursor="" if cursor == "begin" else cursor, most=most
                )
            found += page
        assert ([one.id for one in found], {one.state for one in found}) == ([one.id for one in made], {State.RECEIVED})


# ------------------------------------------------------------------------------------------ who was joined with another


def joined(world):
    """Join Ann's record with Bo's: she goes on as him."""
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.ann, world.bo, actor=CY, at=world.clock())


def test_an_objection_of_his_own_fulfils_what_was_asked_for_under_the_id_that_was_given_up(world):
    """Rules 7 and 12: what he says is recorded, and closes the request."""
    request = take_in(world, world.ann, Right.OBJECTION)
    joined(world)
    world.clock.advance(minutes=1)
    with world.store.write() as work:
        limiting.object_to(world.deployment.desk, work, world.bo, [Scope(INTEREST)], actor="customer", at=world.clock())
    assert world.reason(world.bo, INTEREST) == "OBJECTED"
    assert [each.event for each in steps(world, request)][-1] is Event.CLOSED


def test_a_restriction_is_not_fulfilled_by_the_end_of_an_id(world):
    request = take_in(world, world.ann, Right.RESTRICTION)
    joined(world)
    with pytest.raises(StateConflict, match="not restricted"):
        act(world, requests.close, request, Outcome.FULFILLED)
    world.say(world.statement(world.bo, "restrict"))
    assert act(world, requests.close, request, Outcome.FULFILLED).state is State.CLOSED


def test_an_export_of_who_goes_on_answers_what_the_other_asked_for(world):
    request = take_in(world, world.ann, Right.ACCESS)
    joined(world)
    world.clock.advance(minutes=1)
    with world.store.write() as work:
        exporting.start(
            world.deployment.desk, work, world.bo, exporting.Form.JSON, actor=CY, reason="asked", at=world.clock()
        )
    assert act(world, requests.close, request, Outcome.FULFILLED).state is State.CLOSED


def test_an_objection_of_before_answers_no_new_one(world):
    world.object(world.ann, INTEREST)
    world.clock.advance(days=100)
    request = take_in(world, world.ann, Right.OBJECTION)
    with pytest.raises(StateConflict, match="since it came in"):
        act(world, requests.close, request, Outcome.FULFILLED)
    world.object(world.ann, INTEREST)
    assert act(world, requests.close, request, Outcome.FULFILLED).state is State.CLOSED


def test_what_was_open_when_a_customer_was_erased_is_closed_in_its_own_words(world):
    partly, refused = take_in(world, world.ann), take_in(world, world.ann, Right.RECTIFICATION)
    erase(world, world.ann)
    with pytest.raises(StateConflict, match="nothing was exported"):
        act(world, requests.close, partly, Outcome.FULFILLED)
    told = {"answer": "all but what we had to delete"}
    assert act(world, requests.close, partly, Outcome.PARTLY, **told).outcome is Outcome.PARTLY
    assert act(world, requests.close, refused, Outcome.REFUSED, **told).outcome is Outcome.REFUSED
    assert world.rows("SELECT DISTINCT words FROM rights_request WHERE customer = :who", who=world.ann) == [(b"",)]
    world.check_ledger()
