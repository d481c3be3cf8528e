"""The permutation test of terms: a dependence that decisions show is found, and what couldn't be tried is said."""

import pytest

from consent import gate
from consent.audit.findings import Evidence
from consent.audit.judging import judged
from personalise import audit_checks, engine
from personalise.campaigns import approval
from personalise.campaigns.judging import Case
from personalise.campaigns.parity import carrying, dependences, unpriced
from personalise.campaigns.reading import parse_campaign
from personalise.life import events
from personalise.runs import run
from tests.builders import SHIPPED, scope_table, toml
from tests.campaigns import NEEDED, SHOP, TABLES, fill, open_run, publish, tables, willing
from tests.erasing import erase
from tests.flows.test_contact_policy import NIGHT, rule

PARITY = [check for check in audit_checks.CHECKS if check.key == "price_parity"]
SCOPES = tuple(
    f"{what}:{category}{to}" for category in ("tenure", "standing", "level")
    for what, to in (("remember", ""), ("use", ":recommendations"))
)  # fmt: skip
FREE = {"holdout": {"share": 0, "salt": "s"}, "audience": "months_since_purchase <= 12"}
MAIL = {"channel": "email", "content": "By mail."}
TWO_PRICES = [
    {"key": "loyal", "family": "tea", "terms": {"price": 8}, "value": 2.0, "eligibility": "loyalty > 3"},
    {"key": "plain", "family": "tea", "terms": {"price": 9}, "value": 1.0},
]
BOTH = [{"key": key, "offer": key, "score": "0.05", **MAIL} for key in ("loyal", "plain")]
ONE = {"key": "off", "family": "tea", "terms": {"discount": 10}, "value": 1.0}
OFF = {"key": "off", "offer": "off", "score": "CASE WHEN years > 5 THEN 0 ELSE 0.5 END", **MAIL}
TOLD = {**OFF, "score": "0.5", "content": "{% if years > 5 %}10{% else %}20{% endif %} % off.", "general": "10 % off."}


def audited(world, audit="aud_1"):
    """Return what the check came upon: findings, gaps, and how many decisions were judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock(), audit=audit)
    [went] = judged(PARITY, evidence, world.clock)
    return [(one.subject, one.why) for one in went.findings], [one.why for one in went.gaps], went.checked


def decided(world, who):
    """Decide live by a version that was approved when nobody held prices against it yet, as `approve` wrote it down."""
    with world.store.write() as work:
        version = events.published(work, "spring")
        if not events.standing(work, "spring").approval_of(version.version):
            approved = events.Event(
                campaign="spring", version=version.version, did=events.Did.APPROVED, at=world.clock(), actor="cy",
                catalogue=world.deployment.desk.catalogues.current(work).version, four_eyes=True, publisher="mia",
            )  # fmt: skip
            events.note(world.deployment.desk, work, approved, version.digest)
    return engine.decide_one(world.deployment, who, campaign="spring", actor="mia", four_eyes=True)


@pytest.fixture
def shop(world):
    """Return a world whose catalogue knows how long customers have been there, and what is made from that, twice."""
    made = [
        {"key": "tenure", "title": "Since when", "origin": "observed", "special": False, "unpriced": ["years"],
         "attributes": {"years": "integer"}},
        {"key": "standing", "title": "Standing", "origin": "derived", "special": False, "from": ["tenure"],
         "attributes": {"loyalty": "integer"}},
        {"key": "level", "title": "Level", "origin": "derived", "special": False, "from": ["standing", "purchases"],
         "attributes": {"rank": "integer"}},
    ]  # fmt: skip
    tables_ = {**SHIPPED, "category": [*SHIPPED["category"], *made]}
    asked = [scope_table(scope, notice="remember-purchases") for scope in SCOPES]
    world.publish(toml({**tables_, "scope": [*SHIPPED["scope"], *asked]}))
    return world


def customers(world, loyalties, **more):
    """Enrol customers who allow everything, each of some loyalty (None: it isn't known)."""
    who = sorted(world.enrol(*(f"L{number:04d}" for number in range(len(loyalties)))))
    world.say(*(world.statement(each, "grant", *NEEDED, *SCOPES) for each in who))
    known = {"months_since_purchase": 3, "spend_past_year": 50.0, "purchases_count": 7, "main_interest": "tea"}
    facts = [
        (each, {**known, **({} if loyalty is None else {"loyalty": loyalty, "years": 9 - loyalty}), **more})
        for each, loyalty in zip(who, loyalties, strict=True)
    ]
    with world.store.write() as work:
        gate.remember(world.deployment.desk, work, facts, at=world.clock())
    return who


def ran(world, **changes):
    publish(world, **{"campaign": FREE, "cap": [], **changes})
    return run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))


def slipped(world, **changes):
    """Say whether the check at publishing sees a dependence of a campaign."""
    with world.store.read() as work:
        catalogue = world.deployment.desk.catalogues.current(work)
    return list(
        dependences(parse_campaign(toml(tables(**{"campaign": FREE, **changes})), "toml", catalogue), catalogue)
    )


def test_what_is_made_from_a_forbidden_fact_carries_it(shop):
    with shop.store.read() as work:
        catalogue = shop.deployment.desk.catalogues.current(work)
    assert carrying(catalogue) == {"years", "loyalty", "rank", *unpriced(SHOP)}


def test_a_price_that_follows_from_a_derived_fact_is_found_at_publishing_and_in_what_was_decided(shop):
    assert slipped(shop, offer=TWO_PRICES, treatment=BOTH) == [("offer[0].eligibility", "loyalty")]
    customers(shop, [1, 9] * 6)
    ran(shop, offer=TWO_PRICES, treatment=BOTH)
    assert len(set(shop.rows("SELECT DISTINCT offer FROM contact"))) == 2
    findings, gaps, checked = audited(shop)

    assert (gaps, checked) == ([], 12 + 2)
    assert len(findings) >= 2
    whose = "with another customer's loyalty "
    assert {why for _, why in findings} <= {f"{whose}loyal closes", f"{whose}loyal opens"}
    assert audited(shop)[0] == findings
    shop.check_ledger()


def test_a_derived_fact_is_refused_by_what_it_is_made_from(shop):
    offers = [{**TWO_PRICES[0], "eligibility": "rank > 3 AND years > 3"}, TWO_PRICES[1]]
    with shop.store.read() as work:
        catalogue = shop.deployment.desk.catalogues.current(work)
    read = parse_campaign(toml(tables(campaign=FREE, offer=offers, treatment=BOTH)), "toml", catalogue)
    advice = approval.advise(Case(campaign=read, catalogue=catalogue, at=shop.clock()), four_eyes=False)

    begin, says = "Who gets an offer, or on which terms, depends on", "and the catalogue says that no terms may"
    assert [(each.what, each.where, each.must) for each in advice if each.rule == "price_parity"] == [
        (f"{begin} rank, which is derived from tenure (years), {says} depend on that.", "offer[0].eligibility", True),
        (f"{begin} years, {says}.", "offer[0].eligibility", True),
    ]  # fmt: skip


def test_a_price_that_a_wording_tells_by_such_a_fact_is_found_at_publishing_and_in_what_decided(shop):
    assert slipped(shop, offer=[ONE], treatment=[TOLD]) == [("treatment[0].content", "years")]
    who = customers(shop, [1, 9] * 6)
    ran(shop, offer=[ONE], treatment=[TOLD])
    found = [("spring@1", "treatment[0].content tells terms, and reads years, which no terms may depend on")]
    assert audited(shop) == (found, [], 12 + 2)

    shop.clock.advance(days=1)
    decided(shop, who[0])  # opens what the wording reads
    assert audited(shop)[0] == found


def test_a_wording_may_tell_such_a_fact_where_there_are_no_terms(shop):
    plain = {**ONE, "terms": {}}
    assert slipped(shop, offer=[plain], treatment=[TOLD]) == []
    customers(shop, [1, 9] * 6)
    ran(shop, offer=[plain], treatment=[TOLD])

    assert audited(shop) == ([], [], 12 + 2)


def test_a_score_that_ranks_two_prices_of_a_family_is_found(shop):
    scored = [{**BOTH[0], "score": "0.01 * loyalty"}, {**BOTH[1], "score": "0.08"}]
    offers = [{**TWO_PRICES[0], "value": 1.0, "eligibility": "TRUE"}, TWO_PRICES[1]]
    assert slipped(shop, offer=offers, treatment=scored) == [("treatment[0].score", "loyalty")]
    customers(shop, [1, 9] * 6)
    ran(shop, offer=offers, treatment=scored)
    findings = {why for _, why in audited(shop)[0]}

    told = "with another customer's loyalty the terms are those of {}, not of {}"
    assert findings == {told.format("loyal", "plain"), told.format("plain", "loyal")}


@pytest.mark.parametrize("share", [0, 0.9])
def test_one_discount_that_a_score_gives_to_some_and_not_to_others_is_found(shop, share):
    assert slipped(shop, offer=[ONE], treatment=[OFF]) == [("treatment[0].score", "years")]
    customers(shop, [1, 9] * 6)
    ran(shop, offer=[ONE], treatment=[OFF], campaign={**FREE, "holdout": {"share": share, "salt": "s"}})
    assert shop.rows("SELECT count(*) FROM contact") == [(6,)]  # ghosts of controls are contacts, too
    findings, gaps, checked = audited(shop)

    whose = "with another customer's years he"
    assert {why for _, why in findings} == {f"{whose} gets off, and did not", f"{whose} no longer gets off"}
    assert (len(findings), gaps, checked) == (12, [], 12 + 2)


def test_a_discount_that_an_offer_without_terms_takes_the_place_of_is_found(shop):
    guide = {"key": "guide", "family": "reading", "terms": {}, "value": 1.0}
    read = [{**OFF, "score": "0.3"}, {"key": "guide", "offer": "guide", "score": "0.1 * years", **MAIL}]
    assert slipped(shop, offer=[ONE, guide], treatment=read) == [("treatment[1].score", "years")]
    customers(shop, [1, 9] * 6)
    ran(shop, offer=[ONE, guide], treatment=read)

    whose = "with another customer's years he"
    found = {why for _, why in audited(shop)[0]}
    assert found == {f"{whose} gets off, and did not", f"{whose} no longer gets off"}


def test_whom_an_offer_without_terms_is_shown_to_may_follow_from_anything_that_scores_it(shop):
    assert slipped(shop, offer=[{**ONE, "terms": {}}], treatment=[OFF]) == []
    customers(shop, [1, 9] * 6)
    ran(shop, offer=[{**ONE, "terms": {}}], treatment=[OFF])
    assert shop.rows("SELECT count(*) FROM contact") == [(6,)]

    assert audited(shop) == ([], [], 12 + 2)


def test_whom_the_hours_where_he_is_keep_from_a_discount_is_not_kept_from_it_by_his_worth(world):
    here = [{**each, **({"unpriced": ["main_interest"]} if each["key"] == "interests" else {})}
            for each in SHIPPED["category"]]  # fmt: skip
    world.publish(toml({**SHIPPED, "category": here}))
    who = willing(world, 8)
    with world.store.write() as work:
        zones = zip(who, ["Asia/Tokyo", "America/Los_Angeles"] * 4, strict=True)
        told = [(each, {"main_interest": zone}) for each, zone in zones]
        gate.remember(world.deployment.desk, work, told, at=world.clock())
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"], zones={"zone": "main_interest"})
    ran(world, offer=[ONE], treatment=[{**OFF, "score": "0.05"}])
    assert world.rows("SELECT count(*) FROM contact") == [(4,)]

    assert audited(world) == ([], [], 8 + 2)


def test_one_price_for_all_that_is_only_ranked_by_such_a_fact_passes_and_so_does_what_nobody_knows(shop):
    offers = [{**each, "terms": {"price": 9}, "eligibility": "TRUE"} for each in TWO_PRICES]
    customers(shop, [1, 9] * 5 + [None, None])
    ran(shop, offer=offers, treatment=[{**BOTH[0], "score": "0.01 * loyalty"}, {**BOTH[1], "score": "0.08"}])

    assert audited(shop) == ([], [], 14)


def test_where_most_are_alike_those_come_first_who_were_not_exchanged_yet(shop):
    customers(shop, [1] * 3 + [9] * 7)
    ran(shop, offer=TWO_PRICES, treatment=BOTH)

    assert {audited(shop, audit=f"aud_{number}")[2] for number in range(12)} == {10 + 2}


def test_controls_are_tried_too(shop):
    customers(shop, [1, 9] * 6)
    ran(shop, offer=TWO_PRICES, treatment=BOTH, campaign={**FREE, "holdout": {"share": 0.9, "salt": "s"}})

    assert len(audited(shop)[0]) >= 2


def test_where_nobody_can_be_exchanged_it_is_said_and_nothing_is_passed(shop):
    one, two = customers(shop, [5, 5])
    publish(shop, campaign=FREE, cap=[], offer=TWO_PRICES, treatment=BOTH)
    decided(shop, one)
    why = "{} of spring read loyalty, and there are no two customers to exchange that between"
    assert audited(shop) == ([], [why.format("1 decision")], 0)
    decided(shop, two)
    assert audited(shop) == ([], [why.format("2 decisions")], 0)  # they are alike

    three, _ = customers(shop, [4, 2])[0:2]
    decided(shop, three)
    assert audited(shop)[1] == []


def test_live_decisions_of_one_policy_are_taken_together(shop):
    publish(shop, campaign=FREE, cap=[], offer=TWO_PRICES, treatment=BOTH)
    for who in customers(shop, [1, 9] * 3):
        decided(shop, who)
        shop.clock.advance(hours=1)
    findings, gaps, checked = audited(shop)

    assert (len(findings) >= 2, gaps, checked) == (True, [], 6)


def test_what_does_not_open_is_a_gap_and_who_was_erased_is_neither(shop):
    who = customers(shop, [1, 9] * 6)
    ran(shop, offer=TWO_PRICES, treatment=BOTH)
    erase(shop, who[0])
    assert audited(shop)[2] == 13
    shop.tamper("DELETE FROM decision_input")
    findings, gaps, checked = audited(shop)

    assert (findings, len(gaps), checked) == ([], 1, 0)
    assert "14 decisions of chunk dec_" in gaps[0]


def test_terms_that_follow_from_contacts_are_found_and_terms_that_only_the_channel_is_chosen_by_are_not(world):
    letter = {"key": "letter", "offer": "plain", "channel": "post", "content": "By post.", "score": "0.04"}
    offers = [{**TWO_PRICES[0], "eligibility": "TRUE"}, TWO_PRICES[1]]
    who = willing(world, 8)
    rule(world, cap=[{"key": "mails", "channels": ["email"], "limit": 1, "days": 30}])
    publish(world, campaign=FREE, cap=[], offer=offers, treatment=[BOTH[0], letter])
    for each in who[:4]:
        decided(world, each)
    world.clock.advance(days=1)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    told = {why for _, why in audited(world)[0]}

    whose = "with another customer's contact history the terms are those of"
    assert told == {f"{whose} plain, not of loyal", f"{whose} loyal, not of plain"}


def test_plain_campaigns_under_caps_and_goodwill_pass(world):
    rule(
        world, cap=[{"key": "any", "limit": 1, "days": 7}],
        goodwill={"opening": 10, "floor": 4, "prices": {"email": 1.5}, "price_of_one": 0.001},
    )  # fmt: skip
    fill(world, 60)
    ran(
        world,
        campaign={"holdout": {"share": 0.3, "salt": "s"}},
        offer=[{**each, "terms": {}} for each in TABLES["offer"]],
    )
    world.clock.advance(days=1)
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))

    assert audited(world) == ([], [], 124)
    world.check_ledger()
