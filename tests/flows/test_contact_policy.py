"""The contact policy at work: what past contacts, goodwill and promises let through, on both databases."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from consent import gate
from consent.base.errors import StateConflict, WishInvalid
from personalise import commitments, contacts, engine, goodwill, shelf, wishes
from personalise.contact_policy.model import Goodwill
from personalise.contact_policy.reading import parse_contact_policy
from personalise.goodwill import Entry, Posting
from personalise.life import ruling
from personalise.wishes import Limit
from tests.builders import START
from tests.campaigns import TABLES, chunks, publish, willing

MAIL = TABLES["treatment"][:1]
HELD = {"holdout": {"share": 0, "salt": "s"}}


def rule(world, **tables):
    """Publish a contact policy."""
    with world.store.write() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
        read = parse_contact_policy(json.dumps(tables), "json", catalogue)
        return shelf.publish_contact_policy(world.deployment.desk, work, read, actor="mia", at=world.clock())


def campaign(world, key="spring", **changes):
    tables = {"cap": [], "treatment": MAIL, **changes}
    tables["campaign"] = {"key": key, **HELD, **changes.get("campaign", {})}
    return publish(world, **tables)


def decided(world, customer, key="spring"):
    """Return the treatment that is chosen, else by which rule the mail left and when it would be allowed."""
    made = engine.decide_one(world.deployment, customer, campaign=key, actor="mia")
    first = made.verdicts[0]
    return made.chosen or (first.stage, first.rule, first.allowed_from)


@pytest.fixture
def who(world):
    [customer] = willing(world, 1)
    return customer


# ------------------------------------------------------------------------------------------------------------ versions


def test_a_policy_is_published_in_versions_which_the_ledger_commits_to(world):
    first = rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    with pytest.raises(StateConflict, match="version 1 of the contact policy is exactly this file"):
        rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    second = rule(world, cap=[{"key": "any", "limit": 2, "days": 7}])

    assert (first, second) == (1, 2)
    bodies = [bytes(body).decode() for (body,) in world.rows("SELECT body FROM ledger_entry ORDER BY seq")]
    assert sum('"t":"contact_policy.published"' in body for body in bodies) == 2
    with world.store.read() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
        found = [shelf.load_contact_policy(work, catalogue, version=version) for version in (None, 1, 0)]
    assert [(each.version, [cap.limit for cap in each.caps]) for each in found] == [(2, [2]), (1, [1]), (0, [])]
    world.check_ledger()


# ---------------------------------------------------------------------------------------------------------- contacts


def test_a_company_cap_counts_over_campaigns_and_a_contact_exactly_so_old_is_free(world, who):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    campaign(world)
    campaign(world, "autumn")

    assert decided(world, who) == "mail"
    week = "2026-11-28T10:00:00.000Z"
    assert decided(world, who, "autumn") == ("contact_policy", "company:any", week)
    world.clock.set(START + timedelta(days=7) - timedelta(milliseconds=1))
    assert decided(world, who, "autumn") == ("contact_policy", "company:any", week)
    world.clock.advance(milliseconds=1)
    assert decided(world, who, "autumn") == "mail"


@pytest.mark.parametrize(
    ("names", "binds"),
    [
        ({"tags": ["sale"]}, True),
        ({"tags": ["care"]}, False),
        ({"channels": ["sms"]}, False),
        ({"purposes": ["recommendations"], "offers": ["range"]}, True),
        ({"offers": ["guide"]}, False),
    ],
)
def test_a_cap_counts_what_it_names_and_holds_back_what_it_counts(world, who, names, binds):
    rule(world, cap=[{"key": "some", "limit": 1, "days": 7, **names}])
    campaign(world, campaign={"tags": ["sale", "new"]})
    assert decided(world, who) == "mail"
    second = decided(world, who)
    assert second == (("contact_policy", "company:some", "2026-11-28T10:00:00.000Z") if binds else "mail")


def test_tags_are_snapshots_later_versions_change_nothing_past(world, who):
    rule(world, cap=[{"key": "sales", "limit": 1, "days": 7, "tags": ["sale"]}])
    campaign(world, campaign={"tags": ["sale"]})
    campaign(world, "autumn", campaign={"tags": ["sale"]})
    assert decided(world, who) == "mail"
    campaign(world, campaign={"tags": ["care"]})
    assert decided(world, who, "autumn")[1] == "company:sales"


def test_two_that_exclude_each_other_do_so_whichever_came_first(world):
    early, late = willing(world, 2)
    rule(world, exclusion=[{"key": "x", "days": 5, "one": {"tags": ["a"]}, "other": {"tags": ["b"]}}])
    campaign(world, "first", campaign={"tags": ["a"]})
    campaign(world, "second", campaign={"tags": ["b"]})

    free = "2026-11-26T10:00:00.000Z"
    assert [decided(world, early, key) for key in ("first", "second", "first")] == [
        "mail", ("contact_policy", "exclusion:x:other", free), "mail",
    ]  # fmt: skip
    assert [decided(world, late, key) for key in ("second", "first")] == [
        "mail", ("contact_policy", "exclusion:x:one", free),
    ]  # fmt: skip


def test_none_of_these_before_one_of_those(world, who):
    rule(world, order=[{"key": "o", "days": 30, "first": {"campaigns": ["first"]}, "then": {"campaigns": ["then"]}}])
    campaign(world, "first")
    campaign(world, "then")
    assert decided(world, who, "then") == ("contact_policy", "order:o", None)
    assert decided(world, who, "first") == "mail"
    assert decided(world, who, "then") == "mail"
    world.clock.advance(days=30)
    assert decided(world, who, "then") == ("contact_policy", "order:o", None)


def test_after_a_no_thank_you_the_family_rests_on_all_channels(world, who):
    rule(world, rest=[{"key": "r", "days": 60}])
    campaign(world)
    campaign(world, "texts", treatment=[{**TABLES["treatment"][1], "key": "mail", "score": "0.9"}])
    made = engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    world.clock.advance(days=2)
    with world.store.write() as work:
        assert contacts.turn_down(work, who, made.id, at=world.clock())
        assert contacts.turn_down(work, who, made.id, at=world.clock() + timedelta(days=9))  # once is enough
        assert not contacts.turn_down(work, who, "dec_0.0", at=world.clock())

    free = "2027-01-22T10:00:00.000Z"
    assert [decided(world, who, key) for key in ("spring", "texts")] == [("contact_policy", "rest:r:spring", free)] * 2
    world.clock.set(START + timedelta(days=62))
    assert decided(world, who, "texts") == "mail"


@pytest.mark.parametrize("kind", ["service", "legal"])
def test_service_and_legal_messages_are_never_held_back_and_always_count(world, who, kind):
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}], goodwill={"floor": 100, "prices": {"email": 50}})
    campaign(world, "bill", campaign={"class": kind, "holdout": {"share": 0.9, "salt": "s"}})
    campaign(world)
    assert [decided(world, who, "bill") for _ in range(3)] == ["mail"] * 3
    assert decided(world, who)[:2] == ("contact_policy", "company:any")
    assert world.rows("SELECT DISTINCT kind, charge FROM contact") == [(kind, 0)]


# ---------------------------------------------------------------------------------------------------------- goodwill


def balance(world, customer, terms):
    with world.store.read() as work:
        return goodwill.balances(work, [customer], terms).tolist()[0]


def lines(world, customer):
    with world.store.read() as work:
        return [(line.kind, line.amount, line.balance) for line in goodwill.account(work, customer)]


def test_contacts_cost_goodwill_the_dearer_the_more_there_were_lately_and_never_take_it_below_the_floor(world, who):
    terms = {"opening": 10, "floor": 4, "pressure_days": 7, "prices": {"email": 1.5}}
    rule(world, goodwill=terms)
    campaign(world)

    assert [decided(world, who) for _ in range(3)] == ["mail", "mail", ("goodwill", "goodwill", None)]
    assert lines(world, who) == [
        (Entry.OPENING, 10_000, 10_000), (Entry.CONTACT, -1_500, 8_500), (Entry.CONTACT, -3_000, 5_500),
    ]  # fmt: skip
    world.clock.advance(days=7)  # the pressure is gone; what was spent stays spent
    assert decided(world, who) == "mail"
    assert lines(world, who)[-1] == (Entry.CONTACT, -1_500, 4_000)
    world.clock.advance(days=365)
    assert decided(world, who) == ("goodwill", "goodwill", None)
    assert world.rows("SELECT balance, entries FROM goodwill") == [(4_000, 4)]


def test_what_goodwill_is_worth_tips_the_balance_to_leaving_alone(world, who):
    rule(world, goodwill={"opening": 10, "prices": {"email": 1}, "price_of_one": 0.04})
    campaign(world)  # a mail is worth 0.04 by itself
    assert decided(world, who) == ("arbitration", "worth_nothing", None)


def test_credits_lift_no_higher_than_the_opening_and_a_complaint_takes_all(world):
    terms = Goodwill(opening=10)
    book = [
        (Entry.CONTACT, -3_000), (Entry.PURCHASE, 1_000), (Entry.THANKS, 9_000), (Entry.ANSWER, 1_000),
        (Entry.IGNORED, -2_500), (Entry.COMPLAINT, 0), (Entry.OPT_OUT, -500), (Entry.COMPLAINT, 0),
        (Entry.PROMISE_KEPT, 600),
    ]  # fmt: skip
    with world.store.write() as work:
        goodwill.book(work, [Posting(world.bo, *each, "") for each in book], terms, at=world.clock())

    assert [line[1:] for line in lines(world, world.bo)] == [
        (10_000, 10_000), (-3_000, 7_000), (1_000, 8_000), (2_000, 10_000), (0, 10_000), (-2_500, 7_500),
        (-7_500, 0), (-500, -500), (0, -500), (600, 100),
    ]  # fmt: skip
    assert [balance(world, who, terms) for who in (world.bo, world.ann)] == [100, 10_000]


# ------------------------------------------------------------------------------------------------------- commitments


def offers(price, **more):
    first = {**TABLES["offer"][0], "terms": {"price": price}, "validity": 14, **more}
    return [first, TABLES["offer"][1]]


def test_terms_once_shown_hold_on_every_channel_until_they_end(world, who):
    campaign(world, offer=offers(9.5))
    text = [{**TABLES["treatment"][1], "key": "mail", "score": "0.9"}]
    campaign(world, "other", offer=offers(8.0), treatment=text)
    campaign(world, "same", offer=offers(9.5), treatment=text)

    assert decided(world, who) == "mail"
    assert decided(world, who, "other") == ("commitments", "commitment:spring", "2026-12-05T10:00:00.000Z")
    assert decided(world, who, "same") == "mail"
    with world.store.read() as work:
        [stands] = commitments.standing(work, who, world.clock())
    assert (stands.family, stands.offer, stands.campaign) == ("spring", "range", "same")
    world.clock.advance(days=14)
    assert decided(world, who, "other") == "mail"


@pytest.mark.parametrize(("grade", "replaces"), [(1, False), (2, True), (3, True), (None, False)])
def test_what_was_promised_is_replaced_by_equal_or_better_alone(world, who, grade, replaces):
    campaign(world, offer=offers(9.5, grade=2))
    campaign(world, "other", offer=offers(8.0, **({} if grade is None else {"grade": grade})))
    assert decided(world, who) == "mail"
    assert (decided(world, who, "other") == "mail") is replaces


def test_where_a_promise_stands_against_the_best_the_next_best_is_chosen(world, who):
    campaign(world, offer=offers(9.5))
    assert decided(world, who) == "mail"
    second = {"key": "guide", "family": "other", "terms": {}, "value": 1.0}
    treatments = [{**MAIL[0], "score": "0.5"}, {**MAIL[0], "key": "letter", "offer": "guide", "score": "0.2"}]
    campaign(world, "both", offer=[*offers(8.0)[:1], second], treatment=treatments)
    made = engine.decide_one(world.deployment, who, campaign="both", actor="mia")
    assert (made.chosen, [each.stage for each in made.verdicts]) == ("letter", ["commitments", "chosen", "arbitration"])


def test_a_control_is_promised_nothing_and_pays_nothing(world):
    rule(world, goodwill={"prices": {"email": 1}})
    [customer] = willing(world, 1)
    campaign(world, offer=offers(9.5), campaign={"holdout": {"share": 0.9, "salt": "s"}})
    held = next(one for one in [customer, *willing(world, 6)] if decided(world, one)[0] == "holdout")
    with world.store.read() as work:
        assert commitments.standing(work, held, world.clock()) == []
    assert lines(world, held) == []
    assert world.rows("SELECT status, charge FROM contact WHERE customer = :who", who=held) == [("ghost", 1_000)]


def test_erasure_takes_goodwill_and_promises_along(world, who):
    from tests.erasing import erase  # noqa: PLC0415 -- here alone

    rule(world, goodwill={"prices": {"email": 1}})
    campaign(world, offer=offers(9.5))
    assert decided(world, who) == "mail"
    erase(world, who)
    for table in ("goodwill", "goodwill_entry", "commitment", "contact"):
        assert world.rows(f"SELECT count(*) FROM {table} WHERE customer = :who", who=who) == [(0,)]  # noqa: S608 -- our own


# ------------------------------------------------------------------------------------------------------------- hours

NIGHT = {"key": "night", "quiet": [{"start": "21:00", "end": "08:00"}]}


def lives(world, customer, **known):
    with world.store.write() as work:
        gate.remember(world.deployment.desk, work, [(customer, known)], at=world.clock())


def test_at_night_nobody_is_contacted_and_it_says_until_when(world, who):
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"])
    campaign(world)
    world.clock.set(START + timedelta(hours=10))  # 21:00 in Berlin
    assert decided(world, who) == ("contact_policy", "hours:night", "2026-11-22T07:00:00.000Z")
    world.clock.set(START + timedelta(hours=21))
    assert decided(world, who) == "mail"


def test_where_several_rules_hold_him_back_the_one_that_frees_last_is_named(world, who):
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"], cap=[{"key": "any", "limit": 1, "days": 1}])
    campaign(world)
    assert decided(world, who) == "mail"
    world.clock.set(START + timedelta(hours=12))
    assert decided(world, who) == ("contact_policy", "company:any", "2026-11-22T10:00:00.000Z")


@pytest.mark.parametrize(
    ("granted", "verdict"),
    [(False, ("contact_policy", "hours:night", "2026-11-21T23:00:00.000Z")), (True, "mail")],
)
def test_where_he_is_counts_only_with_his_permission_else_every_fallback_zone_has_to_allow_it(
    world, who, granted, verdict
):
    """In Tokyo it is noon; whoever's town isn't known is asleep in one of the places where he may be."""
    scope = "use:interests:recommendations"
    rule(
        world, hours=[NIGHT], fallback_zones=["Europe/Berlin", "Asia/Tokyo"], zones={"zone": "main_interest"},
    )  # fmt: skip
    campaign(world)
    lives(world, who, main_interest="Asia/Tokyo")
    world.clock.set(START + timedelta(hours=17))  # 04:00 in Berlin, 12:00 in Tokyo
    if not granted:
        world.withdraw(who, scope)
    found = decided(world, who)
    assert (found if granted else found[:2]) == (verdict if granted else verdict[:2])


def test_french_hours_bind_calls_alone_and_bring_their_cap_and_their_rest(world, who):
    rule(world, packs=["fr-telephone"], fallback_zones=["Europe/Paris"])
    campaign(world)
    world.clock.set(datetime(2026, 12, 25, 9, tzinfo=UTC))
    assert decided(world, who) == "mail"
    with world.store.read() as work:
        read = shelf.load_contact_policy(work, world.deployment.desk.catalogues.current(work))
    assert [(cap.source, cap.limit, cap.days, cap.channels) for cap in read.caps] == [("law", 4, 30, ("phone",))]
    assert [(rest.source, rest.days, rest.channels, rest.whole) for rest in read.rests] == [
        ("law", 61, ("phone",), True)
    ]


def test_legal_messages_go_at_any_hour(world, who):
    rule(world, hours=[{**NIGHT, "classes": ["marketing", "service"]}], fallback_zones=["Europe/Berlin"])
    campaign(world, "bill", campaign={"class": "service"})
    campaign(world, "law", campaign={"class": "legal"})
    world.clock.set(START + timedelta(hours=12))
    assert [decided(world, who, key) for key in ("bill", "law")] == [
        ("contact_policy", "hours:night", "2026-11-22T07:00:00.000Z"), "mail",
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------- what customers wish


def wish(world, customer, quiet=None, **limits):
    said = wishes.Wishes(
        limits={("*" if key == "any" else key): Limit(*each) for key, each in limits.items()}, quiet=quiet
    )
    with world.store.write() as work:
        wishes.say(work, customer, said, channels=("email", "sms", "phone", "post"), at=world.clock())


def test_a_customers_own_limit_holds_beside_the_companys(world, who):
    rule(world, cap=[{"key": "any", "limit": 9, "days": 7}])
    campaign(world)
    wish(world, who, email=(1, 30))
    assert decided(world, who) == "mail"
    world.clock.set(START + timedelta(days=8))
    assert decided(world, who) == ("contact_policy", "wish:email", "2026-12-21T10:00:00.000Z")
    wish(world, who, sms=(0, 30))
    assert decided(world, who) == "mail"


def test_a_limit_for_all_channels_counts_them_together_and_the_stricter_binds(world, who):
    campaign(world)
    campaign(world, "texts", treatment=[{**TABLES["treatment"][1], "key": "mail", "score": "0.9"}])
    wish(world, who, any=(1, 10), sms=(5, 90))
    assert decided(world, who) == "mail"
    free = "2026-12-01T10:00:00.000Z"
    assert [decided(world, who, key) for key in ("texts", "spring")] == [
        ("contact_policy", "wish:sms", free), ("contact_policy", "wish:email", free),
    ]  # fmt: skip


def test_who_wants_nothing_gets_nothing_and_is_told_of_no_time(world, who):
    campaign(world)
    wish(world, who, any=(0, 1))
    assert decided(world, who) == ("contact_policy", "wish:email", None)


def test_his_quiet_hours_hold_beside_the_companys(world, who):
    rule(world, fallback_zones=["Europe/Berlin"])
    campaign(world)
    wish(world, who, quiet=wishes.Quiet(10 * 60, 14 * 60))
    assert decided(world, who) == ("contact_policy", "hours:own_hours", "2026-11-21T13:00:00.000Z")
    world.clock.set(START + timedelta(hours=3))
    assert decided(world, who) == "mail"


def test_his_quiet_hours_hold_where_the_company_has_no_hours_at_all(world, who):
    campaign(world)
    wish(world, who, quiet=wishes.Quiet(11 * 60, 14 * 60, "Europe/Paris"))
    assert decided(world, who) == ("contact_policy", "hours:own_hours", "2026-11-21T13:00:00.000Z")
    world.clock.set(START + timedelta(hours=3))
    assert decided(world, who) == "mail"


def test_of_whom_nothing_tells_where_he_is_it_is_always_night_somewhere(world, who):
    campaign(world)
    wish(world, who, quiet=wishes.Quiet(22 * 60, 8 * 60))
    for hours in (0, 6, 12):
        world.clock.set(START + timedelta(hours=hours))
        assert decided(world, who) == ("contact_policy", "hours:own_hours", None)
    rule(world, fallback_zones=["Europe/Paris"])
    assert decided(world, who) == ("contact_policy", "hours:own_hours", "2026-11-22T07:00:00.000Z")
    world.clock.set(START + timedelta(days=1))
    assert decided(world, who) == "mail"


def test_the_zone_that_he_names_with_his_hours_counts_for_the_companys_too(world, who):
    rule(world, fallback_zones=["Europe/Paris"], hours=[NIGHT])
    campaign(world)
    wish(world, who, quiet=wishes.Quiet(3 * 60, 4 * 60, "Asia/Tokyo"))
    world.clock.set(START.replace(hour=13))  # 22:00 in Tokyo, 14:00 in Paris
    assert decided(world, who)[1:] == ("hours:night", "2026-11-21T23:00:00.000Z")


def test_a_wish_that_cannot_be_is_refused_with_its_place_and_changes_nothing(world, who):
    wish(world, who, email=(1, 30))
    with pytest.raises(WishInvalid) as refused:
        wish(world, who, quiet=wishes.Quiet(600, 600, "Paris"), fax=(1, 7), email=(1, 0))
    assert [place.where for place in refused.value.places] == ["limits.fax", "limits.email", "quiet", "quiet"]
    with world.store.read() as work:
        assert wishes.read(work, [who, world.bo]) == {who: wishes.Wishes(limits={"email": Limit(1, 30)})}


def test_it_is_said_by_what_no_zone_can_be_told(world):
    """The shipped catalogue lets nobody ask to use where somebody lives but for his orders."""
    with world.store.read() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
    text = json.dumps({"fallback_zones": ["Etc/UTC"], "zones": {"country": "country"}})
    why = (
        "country tells nothing to campaigns for recommendations, newsletter: the catalogue has no use:identity for that"
    )
    read = parse_contact_policy(text, "json", catalogue)
    assert ruling.untold(read, catalogue) == [("zones.country", why)]


def test_what_another_purpose_alone_may_use_tells_nothing_and_is_not_read(world, who):
    rule(world, fallback_zones=["Etc/UTC"], hours=[NIGHT], zones={"country": "country", "zone": "time_zone"})
    campaign(world)
    lives(world, who, country="JP")
    made = engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    assert made.chosen == "mail"
    assert "use:identity:recommendations" not in chunks(world)[-1].about["rules"]
    assert not [row for row in world.rows("SELECT categories FROM data_use") if "identity" in row[0]]
