"""Two records of one customer: joining them gives the company nothing that it didn't have."""

from datetime import timedelta

import pytest

from consent import gate
from consent.base.clock import from_ms, to_ms
from consent.base.errors import CustomerUnknown, StateConflict
from consent.base.ids import CustomerId
from consent.permission.statement import Act, Method
from consent.permission.verdict import Reason
from consent.register import customers, history, mergers, merging, publishing, stopping
from personalise import commitments, wishes
from personalise.commitments import Commitment
from personalise.responses import joining
from personalise.wishes import Limit, Quiet
from tests.builders import CATALOGUE, scope_table, tables, toml

USE, REMEMBER, MAIL = "use:purchases:recommendations", "remember:purchases", "contact:email:recommendations"
LIKES, POST, INTEREST = "remember:interests", "contact:post:newsletter", "use:responses:measurement"
SERVICE = "contact:email:service"
DAY = timedelta(days=1)


def merge(world, merged, into, **how):
    with world.store.write() as work:
        return merging.merge(
            world.deployment.desk, work, merged, into, **{"actor": world.cy, "at": world.clock(), **how}
        )


def two(world):
    return world.enrol("OLD", "NEW")


def say(world, who, answers):
    for scope, act in answers.items():
        for each in act.split():
            world.say(world.statement(who, each, scope))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("grant", "grant", "PERMIT"),
        ("grant", "refuse", "REFUSED"),
        ("refuse", "grant", "REFUSED"),
        ("grant", "", "NO_RECORD"),
        ("", "grant", "NO_RECORD"),
        ("", "", "NO_RECORD"),
        ("request", "grant", "NO_RECORD"),
        ("grant withdraw", "grant", "WITHDRAWN"),
        ("grant", "grant withdraw", "WITHDRAWN"),
        ("object", "grant", "OBJECTED"),
        ("object", "refuse", "OBJECTED"),
        ("refuse", "object", "OBJECTED"),
        ("refuse", "grant withdraw", "WITHDRAWN"),
        ("object", "", "OBJECTED"),
        ("refuse", "", "REFUSED"),
        ("grant invalidate", "grant", "NO_RECORD"),
    ],
)
def test_the_more_restrictive_answer_stands_until_the_customer_chooses(world, old, new, expected):
    """Rule 12: merging two identities takes the most restrictive answer per scope until the customer chooses."""
    gives_up, goes_on = two(world)
    say(world, gives_up, {USE: old})
    say(world, goes_on, {USE: new})
    merge(world, gives_up, goes_on)
    found = world.reason(goes_on, USE)
    world.clock.advance(seconds=1)
    world.grant(goes_on, USE)

    assert (found, world.reason(goes_on, USE)) == (expected, "PERMIT")
    world.check_ledger()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", "PERMIT"),
        ("object", "", "OBJECTED"),
        ("", "object", "OBJECTED"),
        ("object grant", "", "PERMIT"),
        ("object grant invalidate", "", "OBJECTED"),
        ("withdraw", "object", "OBJECTED"),
    ],
)
def test_what_needs_no_consent_is_permitted_unless_one_of_them_objected(world, old, new, expected):
    """Rule 12, on a legitimate interest."""
    gives_up, goes_on = two(world)
    say(world, gives_up, {INTEREST: old})
    say(world, goes_on, {INTEREST: new})
    merge(world, gives_up, goes_on)

    assert (world.reason(goes_on, INTEREST), world.reason(goes_on, SERVICE)) == (expected, "PERMIT")
    world.check_ledger()


def test_what_ended_for_one_of_them_is_asked_again(world):
    gives_up, goes_on = two(world)
    world.grant(gives_up, USE, said_at=world.clock() - 800 * DAY)
    world.grant(goes_on, USE)
    merge(world, gives_up, goes_on)
    assert world.reason(goes_on, USE) == "NO_RECORD"
    world.check_ledger()


@pytest.mark.parametrize("sooner", ["OLD", "NEW"])
def test_what_both_gave_ends_when_the_first_of_the_two_ends(world, sooner):
    """Rule 12: a yes that lasts longer is less restrictive; the wording that each was shown stays what it was."""
    gives_up, goes_on = two(world)
    world.grant(gives_up if sooner == "OLD" else goes_on, USE)
    end = world.clock().replace(year=world.clock().year + 2)
    world.clock.advance(days=100)
    world.grant(goes_on if sooner == "OLD" else gives_up, USE)
    merge(world, gives_up, goes_on)
    world.clock.set(end - timedelta(seconds=1))
    before = world.reason(goes_on, USE)
    world.clock.set(end)
    assert (before, world.reason(goes_on, USE)) == ("PERMIT", "EXPIRED")
    world.grant(goes_on, USE)
    assert world.reason(goes_on, USE) == "PERMIT"
    world.check_ledger()


def test_a_scope_that_left_the_catalogue_does_not_come_back_for_both(world):
    gives_up, goes_on = two(world)
    world.grant(goes_on, USE)
    world.publish(toml(CATALOGUE))
    merge(world, gives_up, goes_on)
    world.publish(toml(tables()) + toml({"scope": [scope_table("contact:post:service", "contract")]}))
    with world.store.read() as work:
        standing = history.standing_at(world.deployment.desk, work, goes_on, world.clock())
        bit = world.deployment.desk.catalogues.bits(work, 3)[USE]
    assert standing.of(bit).status.name == "INVALIDATED"


def test_a_pause_a_restriction_an_age_and_an_opt_out_of_either_hold(world):
    """Rule 12: what concerns the whole customer is joined as strictly."""
    gives_up, goes_on = two(world)
    until = world.clock() + 30 * DAY
    world.say(world.statement(gives_up, "pause", until=until, age=15))
    world.say(world.statement(gives_up, "refuse", method=Method.SIGNAL))
    world.say(world.statement(goes_on, "grant", USE, age=40))
    done = merge(world, gives_up, goes_on)
    with world.store.read() as work:
        standing = history.standing_at(world.deployment.desk, work, goes_on, world.clock())

    assert world.reason(goes_on, USE) == "PAUSED"
    assert [each.statement.act for each in done.statements] == ["invalidate", "pause", "invalidate", "refuse"]
    assert (standing.gpc, done.statements[2].statement.age) == (done.statements[-1].seq, 15)
    world.say(world.statement(goes_on, "resume"))
    assert world.reason(goes_on, SERVICE) == "PERMIT"
    world.check_ledger()


@pytest.mark.parametrize(("old", "new"), [(0, 40), (40, 0)])
def test_of_two_ages_one_unknown_neither_lets_more(world, old, new):
    """Rule 12: whichever of the two goes on; what takes an age was denied to one of them."""
    given = tables()
    given["scope"].append(scope_table("contact:post:service", minimum_age=18))
    world.publish(toml(given))
    gives_up, goes_on = two(world)
    for who, age in ((gives_up, old), (goes_on, new)):
        world.grant(who, "contact:post:service", "contact:post:offers", age=age)
    merge(world, gives_up, goes_on)

    assert world.reason(goes_on, "contact:post:service") in ("MINOR", "NO_RECORD")
    assert world.reason(goes_on, "contact:post:offers") == "PERMIT"
    world.clock.advance(seconds=1)
    world.grant(goes_on, "contact:post:service", age=40)
    assert world.reason(goes_on, "contact:post:service") == "PERMIT"
    world.check_ledger()


def test_a_restriction_of_the_one_given_up_restricts_who_goes_on(world):
    gives_up, goes_on = two(world)
    world.say(world.statement(gives_up, "restrict"))
    merge(world, gives_up, goes_on)
    assert world.reason(goes_on, SERVICE) == "RESTRICTED"
    world.check_ledger()


# ---------------------------------------------------------------------------------------------- what moves with them


def test_memory_moves_where_both_permitted_and_is_deleted_where_not(world):
    """Rule 12: only what both permit goes on under the id that does."""
    gives_up, goes_on = two(world)
    world.grant(gives_up, REMEMBER, USE, LIKES, "use:interests:recommendations")
    world.grant(goes_on, REMEMBER, USE)
    world.remember(gives_up, spend_past_year=12.5, purchases_count=3, main_interest="tea", country="AT")
    world.remember(goes_on, purchases_count=7)
    kept = "SELECT category FROM memory WHERE customer = :who ORDER BY category"
    before = world.rows(kept, who=gives_up), world.rows(kept, who=goes_on)
    done = merge(world, gives_up, goes_on)

    assert before == ([("identity",), ("interests",), ("purchases",)], [("purchases",)])
    assert (done.moved, done.forgotten) == (("identity", "purchases"), ("interests",))
    assert (world.rows(kept, who=gives_up), world.rows(kept, who=goes_on)) == ([], [("identity",), ("purchases",)])
    # What he had himself is the newer word.
    names = ["spend_past_year", "purchases_count", "main_interest"]
    found = world.recall([goes_on], names, purpose="recommendations")
    assert found == [{"spend_past_year": 12.5, "purchases_count": 7, "main_interest": None}]
    world.check_ledger()


def test_memory_that_one_of_them_no_longer_permits_is_forgotten_for_both(world):
    gives_up, goes_on = two(world)
    for who in (gives_up, goes_on):
        world.grant(who, REMEMBER, USE)
        world.remember(who, spend_past_year=1.0)
    world.refuse(gives_up, USE)
    world.withdraw(gives_up, REMEMBER)
    merge(world, gives_up, goes_on)
    assert world.rows("SELECT customer, category FROM memory WHERE category = 'purchases'") == []


def test_memory_is_kept_no_longer_than_the_older_of_the_two(world):
    gives_up, goes_on = two(world)
    for who in (gives_up, goes_on):
        world.grant(who, REMEMBER, USE)
    world.remember(gives_up, spend_past_year=1.0)
    [(older,)] = world.rows("SELECT remembered_at FROM memory WHERE customer = :who", who=gives_up)
    world.clock.advance(days=90)
    world.remember(goes_on, purchases_count=7)
    merge(world, gives_up, goes_on)
    assert world.rows("SELECT remembered_at FROM memory WHERE customer = :who", who=goes_on) == [(older,)]


def test_identities_move_and_find_who_goes_on(world):
    gives_up, goes_on = two(world)
    done = merge(world, gives_up, goes_on)
    with world.store.read() as work:
        named = [customers.find(world.deployment.desk, work, each) for each in ("OLD", "NEW")]
    assert (done.identities, named) == (1, [goes_on, goes_on])


def test_a_suppressed_address_suppresses_who_goes_on(world):
    gives_up, goes_on = two(world)
    world.grant(gives_up, MAIL)
    world.grant(goes_on, MAIL)
    world.tamper("UPDATE standing SET states = 2 WHERE customer = :who", who=gives_up)
    merge(world, gives_up, goes_on)
    assert world.reason(goes_on, MAIL) == "SUPPRESSED"


# --------------------------------------------------------------------------------------------- who goes on as whom


def test_the_id_that_was_given_up_goes_on_as_the_other_wherever_one_customer_is_asked_for(world):
    gives_up, goes_on = two(world)
    for who in (gives_up, goes_on):
        world.grant(who, USE)
    merge(world, gives_up, goes_on)
    world.clock.advance(seconds=1)
    desk = world.deployment.desk
    with world.store.read() as work:
        of_all = gate.check_all(desk, work, gives_up, at=world.clock())
        found = customers.find(desk, work, gives_up)
        strangers = mergers.survivors(work, [gives_up, goes_on, world.ann])
        former = mergers.former(work, goes_on)
    check = world.check(gives_up, USE)

    assert (check.reason.name, check.customer) == ("PERMIT", goes_on)
    assert {one.customer for one in of_all} == {goes_on}
    assert (found, strangers, former) == (goes_on, {gives_up: goes_on}, [gives_up])


def test_what_is_said_under_the_old_id_is_said_by_who_goes_on(world):
    gives_up, goes_on = two(world)
    for who in (gives_up, goes_on):
        world.grant(who, USE, MAIL)
    merge(world, gives_up, goes_on)
    recorded = world.withdraw(gives_up, MAIL)
    with world.store.write() as work:
        stopping.stop_all(world.deployment.desk, work, gives_up, actor="customer", at=world.clock())

    assert recorded.customer == goes_on
    assert [world.reason(goes_on, scope) for scope in (USE, MAIL, INTEREST)] == ["WITHDRAWN", "WITHDRAWN", "OBJECTED"]
    world.check_ledger()


def test_a_repeated_request_under_the_old_id_is_answered_as_before(world):
    """Rule 14: joining records in between changes no answer."""
    gives_up, goes_on = two(world)
    said = world.statement(gives_up, "grant", USE)
    [first] = world.say(said, key="form 1")
    merge(world, gives_up, goes_on)
    size = world.size()
    [again] = world.say(said, key="form 1")
    assert (again.seq, again.repeated, world.size()) == (first.seq, True, size)


def test_in_a_run_the_old_id_is_nobody(world):
    gives_up, goes_on = two(world)
    for who in (gives_up, goes_on):
        world.grant(who, USE, REMEMBER)
    merge(world, gives_up, goes_on)
    with world.store.read() as work:
        found = gate.permits(world.deployment.desk, work, [gives_up, goes_on], [USE, SERVICE], at=world.clock())
    assert found.reasons.tolist() == [[Reason.RESTRICTED] * 2, [Reason.PERMIT] * 2]


def test_of_a_time_before_they_were_joined_the_old_id_answers_as_it_stood(world):
    """Rule 16: and after it as who goes on."""
    gives_up, goes_on = two(world)
    world.grant(gives_up, USE)
    world.refuse(goes_on, USE)
    before = world.clock()
    world.clock.advance(days=1)
    merge(world, gives_up, goes_on)
    desk = world.deployment.desk
    with world.store.read() as work:
        found = [
            gate.check_as_of(desk, work, who, USE, at=at).reason.name
            for who in (gives_up, goes_on)
            for at in (before, world.clock())
        ]
    assert found == ["PERMIT", "REFUSED", "REFUSED", "REFUSED"]


def test_three_records_are_joined_one_after_the_other(world):
    first, second, third = world.enrol("1", "2", "3")
    for who in (first, second, third):
        world.grant(who, USE)
    world.refuse(first, MAIL)
    merge(world, first, second)
    merge(world, second, third)
    with world.store.read() as work:
        former = mergers.former(work, third)

    assert [world.check(who, USE).customer for who in (first, second, third)] == [third] * 3
    assert (former, world.reason(first, MAIL)) == ([second, first], "REFUSED")
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------- the proof


def test_the_ledger_tells_of_it_and_both_histories_stay(world):
    gives_up, goes_on = two(world)
    granted = world.grant(gives_up, USE)
    done = merge(world, gives_up, goes_on, reason="the same address")
    with world.store.read() as work:
        told = publishing.noted(world.deployment.desk, work, 1, done.position)
        said = history.of_customer(world.deployment.desk, work, gives_up)

    assert told == {"actor": world.cy, "customer": goes_on, "merged": gives_up, "reason": "the same address"}
    assert [(one.seq, one.statement.act) for one in said] == [
        (granted.seq, Act.GRANT),
        (said[-1].seq, Act.RESTRICT),
    ]
    assert said[-1].statement.evidence == f"joined by ledger entry {done.position}"
    world.check_ledger()


def test_who_is_one_already_is_not_joined_again(world):
    gives_up, goes_on = two(world)
    merge(world, gives_up, goes_on)
    size = world.size()
    for pair in ((gives_up, goes_on), (goes_on, gives_up), (goes_on, goes_on), (gives_up, gives_up)):
        with pytest.raises(StateConflict, match="one customer already"):
            merge(world, *pair)
    assert world.size() == size


def test_who_is_not_enrolled_is_not_joined(world):
    nobody = CustomerId("cus_" + "0" * 32)
    for pair in ((nobody, world.ann), (world.ann, nobody)):
        with pytest.raises(CustomerUnknown):
            merge(world, *pair)
    assert world.rows("SELECT * FROM merger") == []


# ------------------------------------------------------------------------------------- what is kept of them elsewhere


def wished(world, who, quiet=None, **limits):
    said = wishes.Wishes(limits={name: Limit(*each) for name, each in limits.items()}, quiet=quiet)
    with world.store.write() as work:
        wishes.change(world.deployment.desk, work, who, said, actor="him", at=world.clock())


def test_the_stricter_limits_and_hours_of_both_hold(world):
    old, new = two(world)
    wished(world, old, email=(1, 30), sms=(5, 7), quiet=Quiet(1_320, 420))
    wished(world, new, email=(2, 60), phone=(0, 30), quiet=Quiet(360, 540))
    merge(world, old, new)

    with world.store.read() as work:
        stands = wishes.of(wishes.read(work, [new]), new)
    assert dict(stands.limits) == {"email": Limit(1, 60), "sms": Limit(5, 7), "phone": Limit(0, 30)}
    assert stands.quiet == Quiet(1_320, 540)
    world.check_ledger()


def test_who_wished_nothing_keeps_what_the_other_id_wished(world):
    old, new = two(world)
    wished(world, old, email=(1, 30))
    merge(world, old, new)

    with world.store.read() as work:
        assert wishes.of(wishes.read(work, [new]), new).limits == {"email": Limit(1, 30)}


@pytest.mark.parametrize(("mine", "his", "stands"), [(None, 1, "old"), (1, 2, "old"), (2, 1, "new"), (1, 1, "new")])
def test_what_was_promised_under_either_id_stays_promised(world, mine, his, stands):
    old, new = two(world)
    at = to_ms(world.clock())

    def promised(who, name, grade):
        return Commitment(who, "spring", "offer", f"terms of {name}", grade, "c", f"dec_{name}.0", at, at + 1_000_000)

    with world.store.write() as work:
        commitments.promise(work, [promised(old, "old", his), *([promised(new, "new", mine)] if mine else [])])
    merge(world, old, new)

    with world.store.read() as work:
        [row] = commitments.standing(work, new, world.clock())
    assert (row.terms, row.until) == (f"terms of {stands}", from_ms(at + 1_000_000))


def test_spans_that_cover_the_day_together_leave_no_hour():
    quiet = joining.stricter(wishes.Wishes(quiet=Quiet(0, 800)), wishes.Wishes(quiet=Quiet(700, 1_440))).quiet
    assert quiet == Quiet(0, 1_440)


@pytest.mark.parametrize("no", ["refuse", "object", "withdraw"])
def test_a_no_of_both_holds_against_paper_of_the_time_between(world, no):
    """Rule 12: the more restrictive word stands, until the customer chooses."""
    world.say(world.statement(world.ann, no, POST))
    world.clock.advance(days=1)
    signed_on = world.clock()
    world.clock.advance(days=1)
    world.say(world.statement(world.bo, no, POST))
    merge(world, world.bo, world.ann)
    denied = world.reason(world.ann, POST)
    world.clock.advance(days=1)
    world.grant(world.ann, POST, said_at=signed_on, method="paper")
    assert world.reason(world.ann, POST) == denied != "PERMIT"
