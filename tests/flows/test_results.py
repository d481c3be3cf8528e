"""Results by the holdout: who counts in which arm, what is concluded, and when nothing is."""

import random
from collections import Counter
from itertools import chain

import pytest

from consent import gate
from consent.base.errors import CampaignUnknown, RequestUnfit
from consent.register import stopping
from personalise import goodwill, shelf
from personalise.contact_policy.reading import parse_contact_policy
from personalise.goodwill import Entry, Posting
from personalise.measure.cuped import Adjusted, Uneven
from personalise.measure.effects import Effect, SampleRatio, TooFew, two_proportions
from personalise.measure.holdout import Target, Withheld
from personalise.responses import coming
from personalise.responses.coming import DAY_MS
from personalise.results.judging import results
from personalise.runs import run
from tests.builders import toml
from tests.campaigns import MAIL, TABLES, TEXT, open_run, publish, willing

MANY = 400
MEASURED = "use:responses:measurement"
HALF = {"campaign": {"holdout": {"share": 0.5, "salt": "s"}}, "treatment": TABLES["treatment"][:1], "cap": []}


def ran(world, **changes):
    """Publish the campaign, half of everybody held out, and run it."""
    publish(world, **{**HALF, **changes})
    return run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))


def arms(world):
    """Return whom the campaign contacted, and whom it left out, each by id."""
    rows = world.rows("SELECT customer, status FROM contact WHERE campaign = 'spring' ORDER BY customer")
    return [[who for who, status in rows if (status == "ghost") is ghost] for ghost in (False, True)]


def tell(world, facts):
    with world.store.write() as work:
        gate.remember(world.deployment.desk, work, list(facts.items()), at=world.clock())


def visits(world, *, addressed=0.6, held_out=0.2, seed=5):
    """Tell of everybody whether he visited, at a rate an arm."""
    drawn = random.Random(seed)  # noqa: S311 -- made-up customers
    rates = zip(arms(world), (addressed, held_out), strict=True)
    facts = {who: {"visited": drawn.random() < rate} for ids, rate in rates for who in ids}
    tell(world, facts)
    return {who: fact["visited"] for who, fact in facts.items()}


def measured(world, **how):
    return results(world.deployment, "spring", actor="mia", **how)


@pytest.fixture
def shop(world):
    """Return a world whose campaign has addressed about half of its customers."""
    willing(world, MANY)
    ran(world)
    world.clock.advance(seconds=60)
    return world


def test_the_arms_are_those_addressed_and_those_left_out_and_the_effect_is_between_them(shop):
    visited = visits(shop)
    addressed, held_out = arms(shop)
    came = [sum(visited[who] for who in arm) for arm in (addressed, held_out)]
    found = measured(shop)

    assert (found.addressed.customers, found.held_out.customers) == (len(addressed), len(held_out))
    assert (found.addressed.known, found.held_out.known) == (len(addressed), len(held_out))
    assert found.addressed.mean == pytest.approx(came[0] / len(addressed))
    assert isinstance(found.sample_ratio, SampleRatio)
    assert (found.share, found.withheld, found.sample_ratio.ok) == (0.5, (), True)
    assert found.judgement.effect == two_proportions(came[0], len(addressed), successes_b=came[1], n_b=len(held_out))
    assert (found.target, found.judgement.reached) == (0.02, Target.REACHED)
    assert (found.misplaced, found.early, found.untimed) == (0, 0, MANY)
    shop.check_ledger()


def test_it_does_not_depend_on_the_size_of_the_chunks_and_the_reading_is_a_use(shop):
    visits(shop)
    found = measured(shop)
    uses = shop.rows(
        "SELECT purpose, categories, customers FROM data_use WHERE reason = 'measuring spring by its holdout'"
    )

    assert uses == [("measurement", "responses", MANY)]
    assert measured(shop, most=37) == found


def test_whoever_objects_to_measuring_counts_in_the_sizes_alone(shop):
    visits(shop)
    objecting = [arm[:10] for arm in arms(shop)]
    shop.say(*(shop.statement(who, "object", MEASURED) for arm in objecting for who in arm))
    found = measured(shop)

    assert found.addressed.customers + found.held_out.customers == MANY
    assert found.addressed.customers - found.addressed.known == 10
    assert found.held_out.customers - found.held_out.known == 10


def test_nos_said_after_the_first_contact_are_counted_by_arm(shop):
    addressed, held_out = arms(shop)
    withdrawn, objecting, stopped, back = addressed[:4]
    shop.withdraw(withdrawn, MAIL)
    shop.object(objecting, "use:purchases:recommendations")
    with shop.store.write() as work:
        stopping.stop_all(shop.deployment.desk, work, stopped, actor="customer", at=shop.clock())
    shop.withdraw(back, MAIL)
    shop.withdraw(addressed[4], "contact:sms:recommendations")  # which this campaign doesn't ask for
    shop.clock.advance(seconds=1)
    shop.grant(back, MAIL)
    shop.withdraw(held_out[0], MAIL)
    found = measured(shop)

    assert (found.addressed.opted_out, found.held_out.opted_out) == (3, 1)
    assert found.judgement.opt_outs == two_proportions(3, len(addressed), successes_b=1, n_b=len(held_out))


def test_a_no_from_before_the_contact_is_none_of_its_doing(world):
    who = willing(world, 60)
    world.say(*(world.statement(customer, "withdraw", TEXT) for customer in who))
    world.clock.advance(seconds=1)
    ran(world, treatment=TABLES["treatment"][:2])
    before = measured(world)
    world.clock.advance(seconds=1)
    world.say(*(world.statement(customer, "refuse", TEXT) for customer in who))
    after = measured(world)

    assert before.addressed.customers + before.held_out.customers == 60
    assert (before.addressed.opted_out, before.held_out.opted_out) == (0, 0)
    assert [arm.opted_out for arm in (after.addressed, after.held_out)] == [
        before.addressed.customers,
        before.held_out.customers,
    ]


def test_whoever_is_addressed_again_counts_from_the_first_time_and_once(shop):
    before = measured(shop)
    shop.withdraw(arms(shop)[0][0], MAIL)
    shop.clock.advance(days=40)
    run.advance(shop.deployment, open_run(shop.deployment, "spring", actor="mia"))
    again = measured(shop)

    assert (again.addressed.customers, again.held_out.customers) == (
        before.addressed.customers,
        before.held_out.customers,
    )
    assert Counter(shop.rows("SELECT customer FROM contact WHERE campaign = 'spring'")).most_common(1)[0][1] == 2
    assert again.addressed.opted_out == 1


def came(world, who, at, *, attribute="visited", value=True):
    """Tell of one customer what he did, and when (None: nobody knows)."""
    facts = []
    with world.store.write() as work:
        gate.remember_columns(
            world.deployment.desk, work, [who], {attribute: [value]}, at=world.clock(),
            noting=lambda *fact: facts.append(fact),
        )  # fmt: skip
        coming.note(work, coming.timed(facts, {who: at}, at=world.clock()))


def windowed(world, *, share=0.0, **objective):
    """Publish the campaign with a window of two weeks, run it, and return when its contacts were (ms)."""
    willing(world, 8)
    ran(world, objective={"window_days": 14, **objective}, campaign={"holdout": {"share": share, "salt": "s"}})
    [(first,)] = set(world.rows("SELECT reserved_at FROM contact"))
    world.clock.advance(days=40)
    return first


def known(world):
    """Return how many outcomes are known, and the sum of them, in both arms together."""
    found = measured(world)
    arms_ = (found.addressed, found.held_out)
    return sum(arm.known for arm in arms_), round(sum(arm.known * (arm.mean or 0) for arm in arms_)), found


def test_an_outcome_counts_from_the_contact_on_until_the_window_is_over_in_both_arms(world):
    first = windowed(world, share=0.4)
    for who in chain(*arms(world)):
        came(world, who, first + 14 * DAY_MS - 1)
    last_moment = known(world)
    for who in chain(*arms(world)):
        world.tamper("UPDATE outcome SET came_at = :at WHERE customer = :who", at=first, who=who)
    at_once = known(world)
    for who in chain(*arms(world)):
        world.tamper("UPDATE outcome SET came_at = :at WHERE customer = :who", at=first - 1, who=who)
    before = known(world)
    for who in chain(*arms(world)):
        world.tamper("UPDATE outcome SET came_at = :at WHERE customer = :who", at=first + 14 * DAY_MS, who=who)
    after = known(world)

    assert last_moment[:2] == at_once[:2] == (8, 8)
    assert (before[:2], before[2].early, before[2].late) == ((0, 0), 8, 0)
    assert (after[:2], after[2].early, after[2].late) == ((8, 0), 0, 8)  # a flag that came late had not come in time


def test_of_a_number_that_came_late_nobody_knows_what_it_was_in_time(world):
    first = windowed(world, measure="spent", target=1.0)
    one, two = arms(world)[0][:2]
    came(world, one, first + 3 * DAY_MS, attribute="spent", value=20.0)
    came(world, two, first + 20 * DAY_MS, attribute="spent", value=20.0)

    assert known(world)[:2] == (1, 20)
    assert measured(world).late == 1


def test_the_same_told_again_keeps_its_first_time_and_what_replaced_it_does_not_take_its_place(world):
    first = windowed(world)
    one, two, three = arms(world)[0][:3]
    came(world, one, first + DAY_MS)
    came(world, one, first + 30 * DAY_MS)
    came(world, two, first + DAY_MS, value=False)
    came(world, two, first + 30 * DAY_MS)
    came(world, three, first + 30 * DAY_MS)
    came(world, three, first + DAY_MS)  # told later, of before
    found = known(world)

    assert (found[:2], found[2].late, found[2].untimed) == ((2, 2), 0, 0)  # what the second did in time was replaced


def test_an_outcome_without_a_time_counts_and_is_told_unless_it_was_known_before(world):
    early, *_ = willing(world, 8)
    came(world, early, None)
    world.clock.advance(seconds=1)
    ran(world, objective={"window_days": 14}, campaign={"holdout": {"share": 0, "salt": "s"}})
    world.clock.advance(days=20)
    came(world, arms(world)[0][1], None)
    found = known(world)

    assert (found[:2], found[2].early, found[2].untimed) == ((1, 1), 1, 1)


def test_where_whatever_comes_is_reported_silence_is_a_no_once_the_window_is_over(world):
    first = windowed(world, silence="no")
    one, two, three, *_ = arms(world)[0]
    came(world, one, first + DAY_MS)
    world.object(two, MEASURED)
    world.withdraw(three, "remember:responses")
    over = known(world)
    world.clock.advance(days=-27)
    still_open = known(world)

    assert (over[:2], still_open[:2]) == ((6, 1), (1, 1))


# ------------------------------------------------------------------------------------------------------------ goodwill


def test_goodwill_spent_is_what_contacts_cost_and_what_their_decisions_took(world):
    willing(world, MANY)
    rules = {"goodwill": {"prices": {"email": 2}}}
    with world.store.write() as work:
        in_force = world.deployment.desk.catalogues.current(work)
        read = parse_contact_policy(toml(rules), "toml", in_force)
        shelf.publish_contact_policy(world.deployment.desk, work, read, actor="mia", at=world.clock())
    ran(world)
    visits(world)
    addressed, held_out = arms(world)
    decision = dict(world.rows("SELECT customer, decision FROM contact"))
    one, two, three = addressed[:3]
    postings = [
        Posting(one, Entry.IGNORED, -1_500, decision[one]),
        Posting(two, Entry.COMPLAINT, 0, decision[two]),
        Posting(three, Entry.THANKS, 500, decision[three]),
        Posting(three, Entry.IGNORED, -9_000, "another decision"),
        Posting(held_out[0], Entry.COMPLAINT, 0, "another decision"),
    ]
    with world.store.write() as work:
        goodwill.book(work, postings, read.goodwill, at=world.clock())
    found = measured(world)

    spent = 2 * len(addressed) + 1.5 + 98
    assert (found.goodwill.contacts, found.goodwill.taken, found.goodwill.given) == (2.0 * len(addressed), 99.5, 0.5)
    assert (found.addressed.complained, found.held_out.complained) == (1, 1)
    assert isinstance(found.judgement.effect, Effect)
    assert found.judgement.per_outcome is not None
    assert found.judgement.per_outcome.each == pytest.approx(spent / len(addressed) / found.judgement.effect.difference)
    world.check_ledger()


def test_what_an_outcome_cost_cannot_be_said_where_the_effect_may_be_nothing(shop):
    visits(shop, addressed=0.3, held_out=0.3)
    found = measured(shop).judgement

    assert found.per_outcome is not None
    assert (found.per_outcome.each, found.per_outcome.at_most, found.reached) == (None, None, Target.OPEN)


# --------------------------------------------------------------------------------------------------- nothing concluded


def test_arms_of_other_sizes_than_planned_withhold_the_results(shop):
    visits(shop)
    lost = arms(shop)[1][80:]
    for who in lost:
        shop.tamper("DELETE FROM contact WHERE customer = :who", who=who)
    found = measured(shop)

    assert isinstance(found.sample_ratio, SampleRatio)
    assert found.sample_ratio.p_value < 0.001
    assert found.withheld == (Withheld.SAMPLE_RATIO, Withheld.KNOWN_RATIO)
    assert found.judgement.effect is found.judgement.opt_outs is found.judgement.reached is None
    assert found.addressed.customers + found.held_out.customers == MANY - len(lost)
    assert found.as_json()["withheld"] == ["sample_ratio", "known_ratio"]


def test_outcomes_told_of_one_arm_alone_withhold_the_results(shop):
    tell(shop, {who: {"visited": True} for who in arms(shop)[0]})

    assert measured(shop).withheld == (Withheld.KNOWN_RATIO,)


def test_a_holdout_that_was_changed_withholds_the_results(shop):
    visits(shop)
    ran(shop, campaign={"holdout": {"share": 0.5, "salt": "another"}})
    found = measured(shop)

    assert found.version == 2
    assert found.withheld[:2] == (Withheld.HOLDOUT_CHANGED, Withheld.MISPLACED)
    assert found.misplaced > MANY / 4


def test_a_version_that_was_not_run_changes_nothing(shop):
    visits(shop)
    before = measured(shop)
    publish(shop, **{**HALF, "campaign": {"holdout": {"share": 0.2, "salt": "another"}}})

    assert measured(shop) == before


def test_with_few_customers_too_few_to_judge_is_said(world):
    willing(world, 8)
    ran(world)
    visits(world)

    assert measured(world).judgement.effect == TooFew(what="expected customers in an arm", had=4, needed=5)
    assert measured(world).withheld == ()


def test_without_a_holdout_or_a_contact_nothing_is_concluded(world):
    willing(world, 20)
    publish(world, **HALF)
    never = measured(world)
    ran(world, campaign={"holdout": {"share": 0, "salt": "s"}})
    all_of_them = measured(world)

    assert (never.addressed.customers, never.held_out.customers) == (0, 0)
    assert isinstance(never.judgement.effect, TooFew)
    assert (all_of_them.share, all_of_them.sample_ratio, all_of_them.judgement.effect) == (0, None, None)
    assert (all_of_them.addressed.customers, all_of_them.held_out.customers) == (20, 0)


# ----------------------------------------------------------------------------------------------------------- covariate


def converting(world):
    """Tell of everybody what he did, and a flag that foretells it."""
    drawn = random.Random(6)  # noqa: S311 -- made-up customers
    facts = {}
    for arm, lift in zip(arms(world), (0.2, 0.0), strict=True):
        for who in arm:
            often = drawn.random() < 0.5
            facts[who] = {"converted": often, "visited": drawn.random() < (0.7 if often else 0.1) + lift}
    tell(world, facts)
    return facts


def test_what_was_known_before_makes_the_interval_narrower(shop):
    converting(shop)
    plain, found = measured(shop).judgement, measured(shop, covariate="converted").judgement

    assert plain.adjusted is None
    assert found.effect == plain.effect
    assert isinstance(found.adjusted, Adjusted)
    assert isinstance(found.effect, Effect)
    assert 0.2 < found.adjusted.variance_reduction < 0.6
    assert found.adjusted.known == MANY
    assert found.adjusted.effect.upper - found.adjusted.effect.lower < found.effect.upper - found.effect.lower


def test_what_differs_between_the_arms_was_not_known_before(shop):
    converting(shop)
    tell(shop, {who: {"converted": True} for who in arms(shop)[0]})

    assert isinstance(measured(shop, covariate="converted").judgement.adjusted, Uneven | TooFew)
    tell(shop, {who: {"converted": False} for who in arms(shop)[0][:20]})
    found = measured(shop, covariate="converted")
    assert isinstance(found.judgement.adjusted, Uneven)
    assert list(found.as_json()["adjusted"]) == ["uneven"]


@pytest.mark.parametrize("name", ["nonsense", "got", "visited", "main_interest", "purchases_count"])
def test_a_covariate_that_cannot_be_used_is_refused(world, name):
    publish(world, **HALF)
    with pytest.raises(RequestUnfit):
        measured(world, covariate=name)


def test_an_unknown_campaign_has_no_results(world):
    with pytest.raises(CampaignUnknown):
        measured(world)
