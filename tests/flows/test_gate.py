"""The one door: what is permitted comes out, anything else is null, and every look is written down.

Each refusal is shown beside the same question by somebody who permits: then it is the permission that made it null.
"""

from datetime import timedelta

import pyarrow as pa
import pytest

from consent import gate
from consent.base.errors import CustomerUnknown, Invalid, KeyLost, NotAllowed
from consent.base.ids import CustomerId
from consent.base.store import Store
from consent.catalogue.reading import DEFAULT
from consent.permission.verdict import Denial, Permit, Reason
from consent.register import recording
from consent.uses import Use
from tests.builders import CATALOGUE, FOUNDED, tables, toml
from tests.erasing import erase, suppress
from tests.world import asked_scopes

RECOMMEND, REMEMBER, EMAIL = "use:purchases:recommendations", "remember:purchases", "contact:email:recommendations"
FACTS = {"spend_past_year": 12.5, "months_since_purchase": 3, "last_purchase_category": "tea"}
NULLS = dict.fromkeys(FACTS)
NOBODY = CustomerId("cus_01a1fb67180070008000000000000000")


def recalled(world, *who, purpose="recommendations"):
    return world.recall(who, list(FACTS), purpose=purpose)


def uses(world):
    return world.rows(
        "SELECT actor, purpose, categories, customers, customer, position, decision, reason FROM data_use "
        "ORDER BY at, customers DESC"
    )


# -------------------------------------------------------------------------------------------------------------- recall


def test_what_is_permitted_comes_out_and_nothing_of_who_permits_nothing(world):
    kept = [world.remember(who, **FACTS) for who in (world.ann, world.bo)]

    assert recalled(world, world.bo, world.ann) == [NULLS, FACTS]
    assert [(each.stored, each.refused) for each in kept] == [(3, 0), (0, 3)]
    world.check_ledger()


def test_a_withdrawn_use_gives_nulls_and_the_data_are_still_there(world):
    world.remember(world.ann, **FACTS)
    before = recalled(world, world.ann)
    world.withdraw(world.ann, RECOMMEND)
    withdrawn = recalled(world, world.ann)
    world.clock.advance(seconds=1)
    world.grant(world.ann, RECOMMEND)

    assert (before, withdrawn, recalled(world, world.ann)) == ([FACTS], [NULLS], [FACTS])
    world.check_ledger()


def test_recall_needs_use_and_remember(world):
    both, use_only, remember_only = world.enrol("BOTH", "USE", "REMEMBER")
    for who in (both, use_only, remember_only):
        world.grant(who, RECOMMEND, REMEMBER)
        world.remember(who, **FACTS)
    stored = recalled(world, both, use_only, remember_only)
    world.tamper("CREATE TABLE kept AS SELECT * FROM memory")
    world.clock.advance(seconds=1)
    world.withdraw(use_only, REMEMBER)
    world.withdraw(remember_only, RECOMMEND)
    # A no to remembering forgets; put it back, as a fault would, so that only the permission is between it and us.
    world.tamper("INSERT INTO memory SELECT * FROM kept WHERE customer = :who", who=use_only)

    assert (stored, recalled(world, both, use_only, remember_only)) == ([FACTS] * 3, [FACTS, NULLS, NULLS])
    world.check_ledger()


def test_a_permission_holds_for_exactly_its_purpose(world):
    world.grant(world.bo, "use:interests:newsletter", "remember:interests")
    world.remember(world.bo, main_interest="tea")
    asked = {"attributes": ["main_interest"], "scopes": ["use:interests:newsletter", "use:interests:recommendations"]}

    assert world.recall([world.bo], purpose="newsletter", **asked) == [{"main_interest": "tea"}]
    assert world.recall([world.bo], purpose="recommendations", **asked) == [{"main_interest": None}]
    world.check_ledger()


def test_a_scope_that_was_not_judged_opens_nothing(world):
    world.remember(world.ann, **FACTS)
    names = list(FACTS)

    assert world.recall([world.ann], names, purpose="recommendations", scopes=[RECOMMEND]) == [FACTS]
    assert world.recall([world.ann], names, purpose="recommendations", scopes=[EMAIL, REMEMBER]) == [NULLS]
    world.check_ledger()


def test_a_permission_that_ended_gives_nulls(world):
    world.remember(world.ann, **FACTS)
    before = recalled(world, world.ann)
    world.clock.advance(days=2 * 365)

    assert (before, recalled(world, world.ann)) == ([FACTS], [NULLS])
    world.check_ledger()


def test_a_category_that_left_the_catalogue_gives_nulls(world):
    world.remember(world.ann, **FACTS)
    before = recalled(world, world.ann)
    without = world.deployment.desk.catalogues
    with world.store.read() as work:
        body = without.current(work).body
    spot = body.index('[[scope]]\nscope = "remember:purchases"')
    world.publish(body[:spot] + body[body.index("[[scope]]", spot + 1) :])

    assert (before, recalled(world, world.ann)) == ([FACTS], [NULLS])
    assert world.reason(world.ann, RECOMMEND, remembered=True) == "REMEMBER_MISSING"
    world.check_ledger()


def test_an_attribute_that_no_category_declares_has_no_column(world):
    world.remember(world.ann, **FACTS)
    assert world.recall([world.ann], ["spend_past_year", "shoe_size"], purpose="recommendations") == [
        {"spend_past_year": 12.5}
    ]
    assert world.remember(world.ann, shoe_size=43).refused == 1


def test_columns_have_the_types_of_the_catalogue(world):
    desk = world.deployment.desk
    names = {"spend_past_year": pa.float64(), "purchases_count": pa.int64(), "last_purchase_category": pa.string()}
    with world.store.write() as work:
        permitted = gate.permits(desk, work, [world.bo], [RECOMMEND], at=world.clock())
        use = Use(actor="mia", purpose="recommendations", reason="a test")
        found = gate.recall(desk, work, permitted, attributes=names, use=use)

    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == {"customer": pa.string(), **names}


def test_a_chunk_of_nobody_is_an_empty_table(world):
    assert recalled(world) == []
    world.check_ledger()


# ---------------------------------------------------------------------------------------------------------------- uses


def test_every_recall_is_written_down_even_where_nothing_came_out(world):
    world.remember(world.ann, **FACTS)
    size = world.size()
    recalled(world, world.ann, world.bo)
    recalled(world, world.bo)

    use = ("mia", "recommendations", "purchases")
    assert uses(world) == [(*use, 1, "", size, "", "a test"), (*use, 0, "", size, "", "a test")]
    world.check_ledger()


def test_data_are_not_read_where_the_use_could_not_be_recorded(world):
    world.remember(world.ann, **FACTS)
    desk = world.deployment.desk
    use = Use(actor="mia", purpose="recommendations", reason="a test")
    for opened in (world.store.read, world.store.live):
        with opened() as work:
            permitted = gate.permits(desk, work, [world.ann], [RECOMMEND], at=world.clock())
            with pytest.raises(NotAllowed, match="in a transaction that can record the use"):
                gate.recall(desk, work, permitted, attributes=FACTS, use=use)

    assert uses(world) == []


def test_a_use_without_a_cause_cannot_be_made():
    with pytest.raises(Invalid, match="for a decision, or for a reason"):
        Use(actor="mia", purpose="recommendations")


def test_a_use_names_its_decision_and_its_customer(world):
    desk = world.deployment.desk
    with world.store.write() as work:
        permitted = gate.permits(desk, work, [world.ann], [RECOMMEND], at=world.clock())
        use = Use(actor="shop", purpose="recommendations", decision="dec_1", customer=world.ann)
        gate.recall(desk, work, permitted, attributes=FACTS, use=use)

    assert uses(world) == [("shop", "recommendations", "purchases", 1, world.ann, world.size(), "dec_1", "")]


# -------------------------------------------------------------------------------------------------------------- sealed


def test_a_ciphertext_swapped_between_customers_is_refused(world):
    world.grant(world.bo, *asked_scopes_of(world))
    world.remember(world.ann, spend_past_year=1.0)
    world.remember(world.bo, spend_past_year=2.0)
    before = world.recall([world.ann, world.bo], ["spend_past_year"], purpose="recommendations")
    [(anns,)] = world.rows("SELECT sealed FROM memory WHERE customer = :who", who=world.ann)
    world.tamper("UPDATE memory SET sealed = :sealed WHERE customer = :who", sealed=anns, who=world.bo)

    assert before == [{"spend_past_year": 1.0}, {"spend_past_year": 2.0}]
    with pytest.raises(KeyLost, match=r"a record sealed for memory/v1/purchases does not open"):
        recalled(world, world.bo)
    world.check_ledger()


def test_a_ciphertext_moved_to_another_category_is_refused(world):
    world.remember(world.ann, last_purchase_category="tea", main_interest="tea")
    before = world.recall([world.ann], ["main_interest"], purpose="recommendations")
    [(sealed,)] = world.rows(
        "SELECT sealed FROM memory WHERE customer = :who AND category = 'purchases'", who=world.ann
    )
    world.tamper("UPDATE memory SET sealed = :sealed WHERE category = 'interests'", sealed=sealed)

    assert before == [{"main_interest": "tea"}]
    with pytest.raises(KeyLost, match=r"memory/v1/interests does not open"):
        world.recall([world.ann], ["main_interest"], purpose="recommendations")


def test_a_data_key_swapped_between_customers_is_refused(world):
    world.remember(world.ann, **FACTS)
    before = recalled(world, world.ann)
    [(bos,)] = world.rows("SELECT wrapped FROM data_key WHERE owner = :who", who=world.bo)
    world.tamper("UPDATE data_key SET wrapped = :wrapped WHERE owner = :who", wrapped=bos, who=world.ann)

    assert before == [FACTS]
    with pytest.raises(KeyLost, match="does not unwrap for its owner"):
        recalled(world, world.ann)


def test_nothing_that_was_remembered_can_be_read_in_the_database(world):
    world.remember(world.ann, last_purchase_category="canary-tea", spend_past_year=8675309.25)
    cells = [cell for row in world.rows("SELECT * FROM memory") for cell in row]

    assert [cell for cell in cells if "canary" in str(cell) or "8675309" in str(cell)] == []
    assert [row["last_purchase_category"] for row in recalled(world, world.ann)] == ["canary-tea"]


# ------------------------------------------------------------------------------------------------------------ remember


def test_new_facts_of_a_category_leave_the_others_in_it(world):
    world.remember(world.ann, spend_past_year=1.0, months_since_purchase=3)
    world.remember(world.ann, spend_past_year=2.0)

    assert recalled(world, world.ann) == [
        {"spend_past_year": 2.0, "months_since_purchase": 3, "last_purchase_category": None}
    ]


def test_nothing_is_remembered_that_no_use_stands_for(world):
    world.grant(world.bo, REMEMBER)
    world.withdraw(world.bo, RECOMMEND)
    with_service = world.remember(world.bo, spend_past_year=1.0)
    other = world.enrol("X")[0]
    world.grant(other, "remember:browsing")
    without = world.remember(other, visits_past_month=3)

    # The shipped catalogue uses purchases for service without asking; browsing it never uses unasked.
    assert ((with_service.stored, with_service.refused), (without.stored, without.refused)) == ((1, 0), (0, 1))


def test_nothing_is_remembered_of_somebody_who_is_not_enrolled(world):
    facts = {"country": "AT"}
    kept = [(world.remember(who, **facts).stored, world.remember(who, **facts).refused) for who in (world.bo, NOBODY)]

    assert kept == [(1, 0), (0, 1)]
    assert world.rows("SELECT DISTINCT customer FROM memory") == [(world.bo,)]


@pytest.mark.parametrize(
    "facts",
    [
        {"spend_past_year": "a lot"},
        {"purchases_count": 1.5},
        {"purchases_count": True},
        {"purchases_count": 2**63},
        {"last_purchase_category": 7},
        {"spend_past_year": float("nan")},
    ],
)
def test_a_fact_of_another_type_is_refused_before_it_can_spoil_a_chunk(world, facts):
    world.remember(world.ann, **FACTS)
    with pytest.raises(Invalid):
        world.remember(world.ann, **facts)

    assert recalled(world, world.ann) == [FACTS]


# -------------------------------------------------------------------------------------------------------------- checks


def test_a_check_cites_what_decided_it(world):
    granted = world.grant(world.bo, RECOMMEND)
    remembered = world.grant(world.bo, REMEMBER)
    permit = world.check(world.bo, RECOMMEND, remembered=True)
    withdrawn = world.withdraw(world.bo, RECOMMEND)
    about = {"customer": world.bo, "scope": RECOMMEND, "at": world.clock()}

    assert permit == Permit(**about, position=remembered.seq + 1, positions=(granted.seq, remembered.seq))
    assert world.check(world.bo, RECOMMEND) == Denial(
        **about, position=withdrawn.seq + 1, positions=(withdrawn.seq,), reason=Reason.WITHDRAWN
    )
    world.check_ledger()


def test_data_of_the_moment_need_no_memory(world):
    world.grant(world.bo, RECOMMEND)
    assert [world.reason(world.bo, RECOMMEND, remembered=each) for each in (False, True)] == [
        "PERMIT",
        "REMEMBER_MISSING",
    ]


@pytest.mark.parametrize(
    "scope",
    ["use:purchases:resale", "use:dreams:recommendations", "contact:fax:service", "remember:", "", "x" * 10_000, "*"],
)
def test_a_scope_that_the_catalogue_does_not_know_is_denied(world, scope):
    assert [world.reason(who, scope) for who in (world.ann, world.bo)] == ["UNKNOWN_SCOPE"] * 2
    with world.store.read() as work:
        found = gate.permits(world.deployment.desk, work, [world.ann], [scope], at=world.clock())
    assert found.permitted(scope).tolist() == [False]


def test_who_is_not_enrolled_permits_nothing(world):
    # Also what the catalogue permits without asking: it is permitted of customers.
    with pytest.raises(CustomerUnknown):
        world.check(NOBODY, "contact:email:service")
    with world.store.read() as work:
        scopes = list(world.deployment.desk.catalogues.current(work).scopes)
        found = gate.permits(world.deployment.desk, work, [world.ann, NOBODY], scopes, at=world.clock())

    assert [len(set(row) & {Reason.PERMIT}) for row in found.reasons.tolist()] == [1, 0]
    assert set(found.reasons[1].tolist()) == {Reason.NO_RECORD, Reason.REMEMBER_MISSING}


def test_many_at_once_are_judged_as_each_alone(world):
    world.refuse(world.bo, RECOMMEND)
    world.object(world.ann, "use:responses:measurement")
    world.withdraw(world.ann, "remember:interests")
    who = [world.bo, world.ann, world.bo]
    with world.store.read() as work:
        scopes = [*world.deployment.desk.catalogues.current(work).scopes, "use:purchases:resale"]
        found = gate.permits(world.deployment.desk, work, who, scopes, at=world.clock())

    alone = [[world.check(each, scope, remembered=True).reason for scope in scopes] for each in who]
    assert found.reasons.tolist() == alone
    assert (found.position, found.customers) == (world.size(), tuple(who))


def test_a_withdrawal_elsewhere_is_seen_by_a_reader_that_is_open(world):
    desk, elsewhere = world.deployment.desk, Store(world.url)
    with world.store.live() as work:
        before = gate.check(desk, work, world.ann, RECOMMEND, at=world.clock()).reason.name
        with elsewhere.write() as other:
            said = world.statement(world.ann, "withdraw", RECOMMEND)
            recording.record(desk, other, [said], actor="customer", at=world.clock())
        after = gate.check(desk, work, world.ann, RECOMMEND, at=world.clock()).reason.name
    elsewhere.close()

    assert (before, after) == ("PERMIT", "WITHDRAWN")
    world.check_ledger()


# --------------------------------------------------------------------------------------------------------- as of a time


@pytest.mark.parametrize("act", ["restrict", "pause"])
def test_a_check_cites_what_restricted_or_paused_the_customer(world, act):
    """Rule 16: and so does one that is asked for a past time, and one of all scopes."""
    first = world.say(world.statement(world.ann, act))[0]
    world.clock.advance(days=1)
    then = world.clock()
    newest = world.say(world.statement(world.ann, act))[0]
    with world.store.read() as work:
        verdicts = gate.check_all(world.deployment.desk, work, world.ann, at=world.clock())

    name = "RESTRICTED" if act == "restrict" else "PAUSED"
    assert (world.reason(world.ann, RECOMMEND), world.check(world.ann, RECOMMEND).positions) == (name, (newest.seq,))
    assert as_of(world, world.ann, RECOMMEND, then - timedelta(seconds=1))[:2] == (name, (first.seq,))
    assert {each.positions for each in verdicts if each.reason is Reason[name]} == {(newest.seq,)}


def test_a_suppression_and_an_erasure_are_cited_and_hold_for_a_past_time(world):
    """Rule 16: that a customer was suppressed stands in no statement of his, and counts as of then all the same."""
    before = world.clock()
    world.clock.advance(days=1)
    suppressed = suppress(world, "ann@shop.example")
    world.clock.advance(days=1)
    alone = (Reason.SUPPRESSED, (suppressed.position,))
    said = world.check(world.ann, EMAIL)
    assert (said.reason, said.positions) == alone
    assert [as_of(world, world.ann, EMAIL, at)[:2] for at in (before, world.clock())] == [
        ("PERMIT", world.check(world.ann, RECOMMEND).positions),
        ("SUPPRESSED", alone[1]),
    ]
    erased = erase(world, world.ann)
    gone = ("CUSTOMER_ERASED", (erased.position,))
    scopes = (EMAIL, RECOMMEND, "contact:email:service", "use:responses:measurement")
    assert {as_of(world, world.ann, scope, at)[:2] for scope in scopes for at in (before, world.clock())} == {gone}
    assert world.check(world.ann, EMAIL).positions == gone[1]
    world.check_ledger()


def test_who_is_too_young_is_so_by_the_entry_that_says_how_old_he_is(world):
    """Rules 9 and 16: not by what he answered; and by nothing, where no age is known."""
    adults = "contact:post:offers"
    limited = tables()
    next(each for each in limited["scope"] if each["scope"] == adults)["minimum_age"] = 18
    world.publish(toml(limited))
    granted = world.grant(world.bo, adults)
    unknown = world.check(world.bo, adults)
    world.clock.advance(days=1)
    said = world.grant(world.bo, adults, age=15)
    young = world.check(world.bo, adults)
    world.clock.advance(days=1)
    then = world.clock()
    world.grant(world.bo, adults, age=15)  # no news
    world.clock.advance(days=1)
    mistaken = world.say(world.statement(world.bo, "invalidate", adults, age=12))[0]
    with world.store.read() as work:
        every = gate.check_all(world.deployment.desk, work, world.bo, at=world.clock())

    assert (unknown.reason, unknown.positions) == (Reason.MINOR, ())
    assert (young.reason, young.positions) == (Reason.MINOR, (said.seq,))
    assert as_of(world, world.bo, adults, then)[:2] == ("MINOR", (said.seq,))
    assert world.check(world.bo, adults).positions == (mistaken.seq,) != (granted.seq,)
    assert {each.positions for each in every if each.reason is Reason.MINOR} == {(mistaken.seq,)}


def as_of(world, customer, scope, at):
    with world.store.read() as work:
        verdict = gate.check_as_of(world.deployment.desk, work, customer, scope, at=at)
    return verdict.reason.name, verdict.positions, verdict.position


def test_a_past_time_is_answered_as_it_stood_then(world):
    start = world.clock()
    granted = world.grant(world.bo, RECOMMEND)
    world.clock.advance(days=1)
    withdrawn = world.withdraw(world.bo, RECOMMEND)
    millisecond = timedelta(milliseconds=1)

    assert [
        as_of(world, world.bo, RECOMMEND, at)
        for at in (start - millisecond, start, world.clock() - millisecond, world.clock())
    ] == [
        ("NO_RECORD", (), granted.seq),
        ("PERMIT", (granted.seq,), withdrawn.seq),
        ("PERMIT", (granted.seq,), withdrawn.seq),
        ("WITHDRAWN", (withdrawn.seq,), withdrawn.seq + 1),
    ]
    world.check_ledger()


def test_what_came_to_light_later_never_rewrites_the_past(world):
    world.clock.advance(days=10)
    yesterday = world.clock() - timedelta(days=1)
    before = as_of(world, world.ann, RECOMMEND, yesterday)
    world.withdraw(world.ann, RECOMMEND, said_at=world.clock() - timedelta(days=5))

    assert (before[0], as_of(world, world.ann, RECOMMEND, yesterday), world.reason(world.ann, RECOMMEND)) == (
        "PERMIT",
        before,
        "WITHDRAWN",
    )
    world.check_ledger()


def test_before_anything_was_published_nothing_was_permitted(world):
    assert as_of(world, world.ann, "contact:email:service", FOUNDED - timedelta(days=1)) == ("UNKNOWN_SCOPE", (), 0)


def test_the_catalogue_of_then_is_asked(world):
    then = world.clock()
    world.clock.advance(days=1)
    world.publish(toml(CATALOGUE))

    assert [as_of(world, world.ann, EMAIL, at)[0] for at in (then, world.clock())] == ["PERMIT", "UNKNOWN_SCOPE"]
    world.check_ledger()


def test_who_is_not_enrolled_has_no_past(world):
    with pytest.raises(CustomerUnknown):
        as_of(world, NOBODY, RECOMMEND, world.clock())


def asked_scopes_of(world):
    with world.store.read() as work:
        return asked_scopes(world.deployment.desk.catalogues.current(work))


def test_permits_open_nothing_in_a_later_transaction(world):
    world.grant(world.ann, "remember:purchases", "use:purchases:recommendations")
    world.remember(world.ann, months_since_purchase=3)
    use = Use(actor=world.mia, purpose="recommendations", reason="a look")
    desk, scopes = world.deployment.desk, ["use:purchases:recommendations"]
    with world.store.write() as work:
        permitted = gate.permits(desk, work, [world.ann], scopes, at=world.clock())
        told = gate.recall(desk, work, permitted, attributes=["months_since_purchase"], use=use)
        assert told["months_since_purchase"].to_pylist() == [3]

    with world.store.write() as work, pytest.raises(NotAllowed):
        gate.recall(desk, work, permitted, attributes=["months_since_purchase"], use=use)

    world.check_ledger()


def test_a_fact_remembered_as_another_type_is_unknown_under_a_newer_catalogue(world):
    world.grant(world.ann, "remember:purchases", "use:purchases:recommendations")
    world.remember(world.ann, months_since_purchase=3, spend_past_year=12.5)
    retyped = DEFAULT.read_text().replace('months_since_purchase = "integer"', 'months_since_purchase = "text"')

    world.publish(retyped)

    told = world.recall([world.ann], ["months_since_purchase", "spend_past_year"], purpose="recommendations")
    assert told == [{"months_since_purchase": None, "spend_past_year": 12.5}]
    world.check_ledger()
