"""Caps by household at work: who lives together hears from the company together only so often."""

from collections import Counter
from datetime import timedelta

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.errors import HouseholdInvalid, ImportInvalid
from consent.imports.customers import bring_in_customers
from consent.imports.mapping import parse_mapping
from consent.imports.passes import Options
from consent.register import customers, households, merging
from consent.rights import sections
from personalise import audit_checks, engine
from personalise.reach.dispatch import Message
from personalise.runs import replaying, run
from personalise.runs.comparing import Named, compare
from personalise.runs.dry_run import dry_run
from personalise.steps.interact.states import Did
from tests.builders import START
from tests.campaigns import MAIL, again, chunks, claim, contacts, deferred, open_run, told, willing
from tests.erasing import erase
from tests.flows.test_contact_policy import campaign, rule
from tests.flows.test_quotas import BY_MAIL, BY_TEXT, known

ONE = {"key": "home", "limit": 1, "days": 7, "per": "household"}
TWO = [check for check in audit_checks.CHECKS if check.key in {"contacts", "quotas"}]
WEEK = "2026-11-28T10:00:00.000Z"


def home(world, *customers, name="Elm Street 1"):
    """Have customers live together from now on; "" for in no household."""
    with world.store.write() as work:
        named = dict.fromkeys(customers, name)
        return households.assign(world.deployment.desk, work, named, at=world.clock())


def decided(world, customer, key="spring"):
    """Return the treatment that is chosen, else by which rule the mail left, what it counted, and when it frees."""
    made = engine.decide_one(world.deployment, customer, campaign=key, actor="mia")
    first = made.verdicts[0]
    return made.chosen or (first.rule, first.observed, first.allowed_from)


def went(world, key="spring", most=50):
    return run.advance(world.deployment, open_run(world.deployment, key, actor="mia"), most=most)


def audited(world):
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    found = judged(TWO, evidence, world.clock)
    return [(one.subject, one.why) for each in found for one in each.findings], [
        one.why for each in found for one in each.gaps
    ]


def reached(world):
    return [row[0] for row in contacts(world)]


# ----------------------------------------------------------------------------------------------------- what it counts


def test_a_contact_with_one_of_a_household_counts_for_the_others_and_for_nobody_else(world):
    ann, bo, cy, dan = willing(world, 4)
    rule(world, cap=[ONE])
    campaign(world)
    campaign(world, "autumn")
    home(world, ann, bo)
    home(world, cy, name="Oak Street 2")

    assert [decided(world, one) for one in (ann, bo, cy, dan)] == ["mail", ("company:home", 1, WEEK), "mail", "mail"]
    assert [decided(world, one, "autumn") for one in (bo, ann, cy, dan)] == [("company:home", 1, WEEK)] * 4
    world.clock.set(START + timedelta(days=7) - timedelta(milliseconds=1))
    assert decided(world, bo) == ("company:home", 1, WEEK)
    world.clock.advance(milliseconds=1)
    assert [decided(world, one) for one in (bo, ann)] == ["mail", ("company:home", 1, "2026-12-05T10:00:00.000Z")]
    assert audited(world) == ([], [])
    world.check_ledger()


def test_it_is_free_when_the_newest_but_so_many_of_all_members_leaves_the_window(world):
    ann, bo, cy = willing(world, 3)
    campaign(world, cap=[{**ONE, "limit": 2, "channels": ["email"]}])
    home(world, ann, bo, cy)
    for days, one in ((0, ann), (2, bo)):
        world.clock.set(START + timedelta(days=days))
        assert decided(world, one) == "mail"
    assert decided(world, cy) == ("cap:home", 2, WEEK)


def test_it_counts_only_the_kind_of_contact_that_it_names(world):
    ann, bo = willing(world, 2)
    rule(world, cap=[{**ONE, "tags": ["sale"]}])
    campaign(world, campaign={"tags": ["sale"]})
    campaign(world, "autumn", campaign={"tags": ["care"]})
    home(world, ann, bo)

    assert decided(world, ann, "autumn") == decided(world, bo) == "mail"
    assert decided(world, ann) == ("company:home", 1, WEEK)
    assert decided(world, ann, "autumn") == "mail"
    assert audited(world) == ([], [])


def test_what_each_had_before_counts_for_the_household_that_he_is_in_now(world):
    ann, bo, cy = willing(world, 3)
    rule(world, cap=[ONE])
    campaign(world)
    home(world, ann, bo)
    assert decided(world, ann) == "mail"
    assert home(world, ann, name="Oak Street 2") == 1
    assert home(world, cy, name=" Oak Street 2 ") == 1

    assert [decided(world, one) for one in (bo, cy)] == ["mail", ("company:home", 1, WEEK)]
    home(world, ann, cy, name="")
    assert [decided(world, one) for one in (ann, cy)] == [("company:home", 1, WEEK), "mail"]
    assert world.rows("SELECT count(*) FROM household") == [(1,)]
    assert audited(world) == ([], [])


def test_what_never_reached_one_of_them_counts_no_longer_for_the_others(world):
    ann, bo = willing(world, 2)
    rule(world, cap=[{**ONE, "days": 30}])
    campaign(world, campaign={"ttl_days": 3})
    campaign(world, "live")
    home(world, ann, bo)
    went(world)
    assert (reached(world), decided(world, bo, "live")[0]) == ([ann], "company:home")
    world.clock.set(START + timedelta(days=3))
    assert decided(world, bo, "live") == "mail"  # nobody has said yet that it lapsed
    assert world.rows("SELECT status FROM contact WHERE customer = :ann", ann=ann) == [("reserved",)]
    assert audited(world) == ([], [])


def test_of_controls_their_own_ghosts_count_and_what_the_others_really_had(world):
    who = willing(world, 40)
    campaign(world, cap=[{**ONE, "channels": ["email"]}], campaign={"holdout": {"share": 0.5, "salt": "s"}})
    pairs = [who[spot : spot + 2] for spot in range(0, 40, 2)]
    for spot, pair in enumerate(pairs):
        home(world, *pair, name=f"Elm Street {spot}")
    went(world)
    ghosts = {row[0] for row in contacts(world, "ghost")}
    real = {*reached(world)}
    world.clock.advance(days=1)
    for pair in pairs:
        first, second = pair
        held = [engine.decide_one(world.deployment, one, campaign="spring", actor="mia").id for one in pair]
        assert len(held) == 2
        # Whoever comes first has his contact, or his ghost; a ghost keeps nobody else from anything.
        assert first in real | ghosts
        assert (second in real | ghosts) == (first in ghosts)
    assert audited(world) == ([], [])


def test_service_messages_count_and_are_never_held_back(world):
    ann, bo = willing(world, 2)
    rule(world, cap=[ONE])
    campaign(world, "bill", campaign={"class": "service"})
    campaign(world)
    home(world, ann, bo)
    assert [decided(world, one, "bill") for one in (ann, bo)] == ["mail", "mail"]
    assert decided(world, bo) == ("company:home", 2, WEEK)
    assert audited(world) == ([], [])


# ------------------------------------------------------------------------------------------------------- many at once


@pytest.mark.parametrize("most", [1, 2, 5, 50])
def test_a_run_reaches_so_many_of_each_household_whatever_the_chunks(world, most):
    who = willing(world, 9)
    campaign(world, cap=[{**ONE, "limit": 2, "channels": ["email"]}])
    home(world, *who[:4], who[8])
    home(world, *who[5:8], name="Oak Street 2")
    foreseen = dry_run(world.deployment, "spring", actor="mia", most=most).counts
    ended = went(world, most=most)

    assert reached(world) == [*who[:2], *who[4:7]]
    assert ended.counts.reasons["cap:home"] == 4
    assert (foreseen.chosen, foreseen.reasons) == (ended.counts.chosen, ended.counts.reasons)
    assert audited(world) == ([], [])
    for chunk in chunks(world, ended.id):
        with world.store.write() as work:
            again = replaying.replayed(world.deployment, work, chunk, actor="cy", at=world.clock())
        assert (len(again.same), again.differs, again.unread) == (chunk.table.num_rows, {}, [])


def test_a_comparison_counts_households_in_each_policy_by_itself(world):
    who = willing(world, 6)
    rule(world, cap=[ONE])
    campaign(world)
    home(world, *who[:3])
    found = compare(
        world.deployment, Named(campaign="spring", contact_policy=0), Named(campaign="spring"), actor="mia", most=2
    )  # fmt: skip
    assert [sum(side.counts.chosen.values()) for side in (found.table.a, found.table.b)] == [6, 4]
    assert contacts(world) == []


@pytest.mark.parametrize("most", [1, 2, 50])
def test_whoever_finds_no_room_in_a_volume_keeps_nobody_of_his_household_from_it(world, most):
    """The lower id of the household is worth too little for the volume; the other gets what he would get alone."""
    who = willing(world, 6)
    home(world, who[0], who[3])
    known(world, dict(zip(who, (10, 40, 39, 38, 11, 37), strict=True)))
    campaign(
        world, treatment=[BY_MAIL], cap=[{**ONE, "channels": ["email"]}],
        volume=[{"key": "desk", "treatments": ["mail"], "limit": 4}],
    )  # fmt: skip
    ended = went(world, most=most)
    assert reached(world) == [who[1], who[2], who[3], who[5]]
    assert world.rows("SELECT taken FROM quota") == [(4,)]
    assert ended.counts.reasons["volume:desk"] == 2
    assert audited(world) == ([], [])


@pytest.mark.parametrize("most", [1, 3, 50])
def test_who_is_capped_by_his_household_takes_no_place_in_a_volume_and_it_is_never_exceeded(world, most):
    who = willing(world, 8)
    home(world, *who[:3])
    known(world, {one: 40 - spot for spot, one in enumerate(who)})
    campaign(
        world, treatment=[BY_MAIL, BY_TEXT], cap=[{**ONE, "channels": ["email"]}],
        volume=[{"key": "desk", "treatments": ["mail"], "limit": 4}, {"key": "texts", "channels": ["sms"], "limit": 3}],
    )  # fmt: skip
    went(world, most=most)
    made = Counter((row[0], row[2]) for row in contacts(world))
    assert made[who[0], "mail"] == 1
    assert [made[one, "mail"] for one in who[1:3]] == [0, 0]
    by_treatment = Counter(treatment for _, treatment in made)
    assert (by_treatment["mail"] <= 4, by_treatment["text"] <= 3) == (True, True)
    taken = dict(world.rows("SELECT key, taken FROM quota"))
    assert taken == {"volume:desk": by_treatment["mail"], "volume:texts": by_treatment["text"]}
    assert audited(world) == ([], [])


def test_nothing_is_asked_where_no_rule_counts_by_household(world, monkeypatch):
    who = willing(world, 2)
    campaign(world)
    home(world, *who)
    asked = []
    for name in ("of", "members", "lock"):
        monkeypatch.setattr(households, name, lambda *_, name=name: asked.append(name))
    assert [decided(world, one) for one in who] == ["mail", "mail"]
    assert asked == []


# -------------------------------------------------------------------------------------------- held back, and sent later


def test_who_is_held_back_by_his_household_is_decided_about_again_when_it_is_free(world):
    ann, bo, cy = willing(world, 3)
    rule(world, cap=[{**ONE, "days": 3}])
    campaign(world)
    home(world, ann, bo, cy)
    went(world)
    assert [(row[0], row[2], row[3]) for row in deferred(world)] == [
        (bo, "company:home", "waiting"), (cy, "company:home", "waiting"),
    ]  # fmt: skip
    world.clock.set(START + timedelta(days=3))
    assert again(world) == 2  # both at once, and one of them is reached
    assert reached(world) == [ann, bo]
    assert [(row[0], row[3]) for row in deferred(world) if row[3] == "waiting"] == [(cy, "waiting")]
    assert audited(world) == ([], [])


def test_at_the_gate_the_others_of_a_household_count_and_a_contact_itself_does_not(world):
    ann, bo = willing(world, 2)
    campaign(world)
    went(world)
    home(world, ann, bo)
    rule(world, cap=[ONE])
    first, second = world.rows("SELECT customer, decision FROM contact ORDER BY customer")
    refused = claim(world, first)
    assert (refused.rule, refused.observed, refused.limit, refused.deferred) == ("company:home", 1, 1, False)
    assert refused.allowed_from == WEEK
    message = claim(world, second)  # the other one is given up by now
    assert isinstance(message, Message)
    assert told(world, second, Did.SEND, token=message.token) == "sent"


# ------------------------------------------------------------------------------------------- who is in which household


def test_a_household_is_kept_as_a_keyed_hash_and_gone_with_the_last_who_is_in_it(world):
    ann, bo = willing(world, 2)
    assert [home(world, ann, bo), home(world, ann, bo)] == [2, 0]
    [(blind, identity)] = world.rows("SELECT blind, id FROM household")
    assert bytes(blind) == world.deployment.desk.blinded("household", "Elm Street 1")
    assert {row[0] for row in world.rows("SELECT household FROM household_member")} == {identity}
    home(world, ann, name="")
    assert len(world.rows("SELECT * FROM household")) == 1
    home(world, bo, name="")
    assert world.rows("SELECT * FROM household") == []


def test_erasing_leaves_nothing_of_a_household_and_frees_it_for_the_others(world):
    ann, bo = willing(world, 2)
    rule(world, cap=[ONE])
    campaign(world)
    home(world, ann, bo)
    assert decided(world, ann) == "mail"
    erased = erase(world, ann)
    assert erased.deleted["household_member"] == 1
    assert decided(world, bo) == "mail"
    assert audited(world) == ([], [])
    assert erase(world, bo).deleted["household_member"] == 2
    assert world.rows("SELECT * FROM household_member") == world.rows("SELECT * FROM household") == []


@pytest.mark.parametrize("both", [True, False])
def test_who_goes_on_after_a_merger_stays_in_his_household_or_comes_into_the_others(world, both):
    ann, bo, cy, dan = willing(world, 4)
    rule(world, cap=[ONE])
    campaign(world)
    home(world, ann, cy)
    if both:
        home(world, bo, dan, name="Oak Street 2")
    assert decided(world, cy) == "mail"
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, ann, bo, actor="mia", at=world.clock())
    with world.store.read() as work:
        found = households.of(work, [ann, bo, cy, dan])
    assert [found.get(one) == found[cy] for one in (ann, bo)] == [False, not both]
    assert found.get(ann) is None
    assert decided(world, bo) == ("mail" if both else ("company:home", 1, WEEK))
    assert audited(world) == ([], [])
    world.check_ledger()


MAPPING = 'format = "csv"\nreference = "id"\nhousehold = "home"\n'


def bring(world, rows, **how):
    with world.store.read() as work:
        mapping = parse_mapping(MAPPING, world.deployment.desk.catalogues.current(work))
    cells = [{"id": one, "home": name} for one, name in rows]
    return bring_in_customers(world.deployment, cells, mapping, Options(actor="mia", **how))


def lived(world, *references):
    """Return the households of customers, by their references; None for who is in none."""
    with world.store.read() as work:
        who = [customers.find(world.deployment.desk, work, one) for one in references]
        found = households.of(work, who)
    return [found.get(one) for one in who]


def test_an_import_says_who_lives_together_and_an_empty_cell_says_nothing(world):
    rows = [("A", "Elm 1"), ("B", " Elm 1 "), ("C", "Oak 2"), ("D", "")]
    foreseen = bring(world, rows, dry_run=True)
    made = bring(world, rows)
    assert [(each.new, each.households) for each in (foreseen, made)] == [(4, 3)] * 2
    elm, also_elm, oak, none = lived(world, *"ABCD")
    assert (elm, none) == (also_elm, None)
    assert oak not in (elm, None)

    rows = [("A", ""), ("B", "Oak 2"), ("C", "Oak 2"), ("D", "Elm 1")]
    assert [bring(world, rows, dry_run=True).households, bring(world, rows).households] == [2, 2]
    assert lived(world, *"ABCD") == [elm, oak, oak, elm]


def test_a_column_that_is_no_households_is_refused_with_nothing_stored(world):
    rows = [(f"N{number:03d}", "DE") for number in range(102)]
    with pytest.raises(ImportInvalid) as error:
        bring(world, rows)
    assert [(place.where, place.why) for place in error.value.places] == [
        ("row 101, column home", "names a household of more than 100 customers: is that what the column is?")
    ]
    bring(world, rows[:100])
    with pytest.raises(HouseholdInvalid, match="more than 100 customers would be in one household"):
        bring(world, rows[100:])
    assert world.rows("SELECT count(*) FROM household_member") == [(100,)]


def test_what_he_is_told_says_nothing_of_who_lives_with_him(world):
    ann, bo = willing(world, 2)
    rule(world, cap=[ONE])
    campaign(world)
    home(world, ann, bo)
    decided(world, ann)
    made = engine.decide_one(world.deployment, bo, campaign="spring", actor="mia")
    assert made.explanation == "You get nothing of this now, because a household hears from us only so often."
    german = engine.decided(world.deployment, made.id, language="de").explanation
    assert german == "Sie bekommen hiervon jetzt nichts, weil ein Haushalt nur so oft von uns hören soll."


def test_an_export_tells_when_he_was_in_a_household(world):
    [ann, bo] = willing(world, 2)
    home(world, ann)
    world.clock.advance(days=1)
    world.withdraw(bo, MAIL)  # a stay during which nothing happened at all is none
    home(world, ann, name="")
    found = [*sections.stays(world.store, [ann], world.clock())]
    assert found == [{"at": "2026-11-21T10:00:00.000Z", "until": "2026-11-22T10:00:00.000Z"}]
    assert [*sections.stays(world.store, [ann], START)] == [{"at": "2026-11-21T10:00:00.000Z", "until": ""}]


# ------------------------------------------------------------------------------------------------------------- audits


def test_a_household_that_was_reached_too_often_is_found_as_of_who_lived_there_then(world):
    ann, bo, cy = willing(world, 3)
    campaign(world)
    campaign(world, "capped", cap=[{**ONE, "channels": ["email"]}])
    home(world, ann, bo)
    assert decided(world, ann) == "mail"
    home(world, bo, name="")
    assert decided(world, bo, "capped") == "mail"  # he lives alone
    home(world, bo, ann, cy)
    assert audited(world) == ([], [])

    [(decision,)] = world.rows("SELECT decision FROM contact WHERE customer = :bo", bo=bo)
    world.tamper("DELETE FROM household_member WHERE customer = :bo AND until_position IS NULL", bo=bo)
    world.tamper("UPDATE household_member SET until_position = NULL WHERE customer = :bo", bo=bo)
    assert audited(world) == (
        [(decision, "cap:home asks for at most 0 before it in 7 days, and there were 1")], []
    )  # fmt: skip


def test_members_of_one_chunk_are_audited_in_their_turn(world):
    who = willing(world, 4)
    campaign(world, cap=[{**ONE, "limit": 2, "channels": ["email"]}])
    home(world, *who[1:])
    went(world)
    assert reached(world) == who[:3]
    assert audited(world) == ([], [])
    # Had the first lived with them, the third would have been one too many.
    [(place,)] = world.rows("SELECT min(since_position) FROM household_member")
    [(identity,)] = world.rows("SELECT id FROM household")
    world.tamper(
        "INSERT INTO household_member (customer, since_position, household, since) VALUES (:who, :place, :it, 0)",
        who=who[0], place=place, it=identity,
    )  # fmt: skip
    [(decision,)] = world.rows("SELECT decision FROM contact WHERE customer = :who", who=who[2])
    assert audited(world) == (
        [(decision, "cap:home asks for at most 1 before it in 7 days, and there were 2")], []
    )  # fmt: skip
