"""The life of a contact: reserved, handed out by the dispatch gate or refused, sent, failed, expired; what it costs."""

from datetime import timedelta
from typing import Any

import pytest

from consent.base.errors import DecisionUnknown, Fenced, RunUnknown, StateConflict
from consent.register import merging
from personalise import engine, reservations
from personalise.life import approving, events, releasing, running
from personalise.reach.dispatch import Message, Refusal
from personalise.results.judging import results
from personalise.runs import dry_run, run
from personalise.steps.interact.states import Did, State
from tests.builders import START
from tests.campaigns import (
    MAIL,
    NEEDED,
    PURCHASES,
    TABLES,
    again,
    claim,
    deferred,
    open_run,
    publish,
    sent,
    told,
    willing,
)  # fmt: skip
from tests.erasing import erase, suppress
from tests.flows.test_contact_policy import HELD, NIGHT, lines, rule

DAY = timedelta(days=1)
ONE_MAIL = {"treatment": TABLES["treatment"][:1], "cap": [], "campaign": HELD}
GOODWILL = {"opening": 10, "floor": 0, "pressure_days": 7, "prices": {"email": 2}}


def ran(world, key="spring"):
    return run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))


def reserved(world):
    """Return the contacts (customer, decision), by customer, and the oldest first."""
    return world.rows("SELECT customer, decision FROM contact ORDER BY customer, reserved_at, decision")


def statuses(world):
    return [row[0] for row in world.rows("SELECT status FROM contact ORDER BY customer, reserved_at, decision")]


def one(world, **more):
    """Publish a campaign of one mail, run it for one customer, and return his contact."""
    publish(world, **{**ONE_MAIL, **more})
    willing(world, 1)
    ran(world)
    [contact] = reserved(world)
    return contact


# --------------------------------------------------------------------------------------------------- what becomes of it


def test_a_reserved_contact_is_handed_out_sent_and_delivered(world):
    contact = one(world)
    message = claim(world, contact)

    assert message == Message(
        id=contact[1], customer=contact[0], campaign="spring", treatment="mail", channel="email",
        purpose="recommendations", subject="", content="By mail.", html="", token=1, position=world.size(),
    )  # fmt: skip
    assert told(world, contact, Did.SEND, token=1) == "sent"
    assert [told(world, contact, Did.DELIVER) for _ in range(2)] == ["delivered"] * 2
    assert claim(world, contact) == Refusal(rule="state", state=State.DELIVERED, observed="delivered")
    uses = world.rows("SELECT actor, decision, customer FROM data_use WHERE actor = 'sender'")
    assert uses == [("sender", contact[1], contact[0])]
    world.check_ledger()


def test_who_claims_first_has_it_and_whoever_comes_later_is_told_so(world):
    contact = one(world)
    assert isinstance(claim(world, contact), Message)
    assert claim(world, contact) == Refusal(rule="state", state=State.CLAIMED, observed="claimed")


def test_a_claim_that_runs_out_can_be_taken_over_with_the_same_id_and_the_old_one_is_fenced(world):
    contact = one(world)
    first = claim(world, contact)
    world.clock.advance(seconds=60)
    second = claim(world, contact)

    assert (second.id, first.token, second.token) == (first.id, 1, 2)
    with pytest.raises(Fenced):
        told(world, contact, Did.SEND, token=1)
    assert told(world, contact, Did.SEND, token=2) == "sent"


def test_a_soft_failure_keeps_the_reservation_until_its_time_to_live_is_over(world):
    rule(world, goodwill=GOODWILL)
    contact = one(world)
    for days in range(3):
        world.clock.set(START + days * DAY)
        assert told(world, contact, Did.FAIL_SOFTLY, token=claim(world, contact).token) == "reserved"
    charged = lines(world, contact[0])
    world.clock.set(START + 7 * DAY)
    expired = claim(world, contact)

    assert [line[1] for line in charged] == [10_000, -2_000]
    assert (expired.rule, expired.state, statuses(world)) == ("time_to_live", "expired", ["expired"])
    assert [line[:2] for line in lines(world, contact[0])[1:]] == [("contact", -2_000), ("correction", 2_000)]


def test_a_hard_failure_releases_at_once_and_gives_back_what_it_was_charged(world):
    rule(world, goodwill=GOODWILL, cap=[{"key": "any", "limit": 1, "days": 30}])
    contact = one(world)
    who = contact[0]
    message = claim(world, contact)
    told(world, contact, Did.SEND, token=message.token)
    held = engine.decide_one(world.deployment, who, campaign="spring", actor="mia").verdicts[0]
    assert told(world, contact, Did.FAIL_HARD) == "failed"
    after = engine.decide_one(world.deployment, who, campaign="spring", actor="mia")

    assert (held.rule, held.observed, after.chosen) == ("company:any", 1, "mail")
    assert [line[:2] for line in lines(world, who)] == [
        ("opening", 10_000), ("contact", -2_000), ("correction", 2_000), ("contact", -2_000),
    ]  # fmt: skip
    with pytest.raises(StateConflict):
        told(world, contact, Did.DELIVER)


def test_what_nobody_sends_expires_and_then_neither_counts_nor_costs(world):
    rule(world, goodwill=GOODWILL, cap=[{"key": "any", "limit": 1, "days": 30}])
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "ttl_days": 3}})
    who = willing(world, 3)
    first = ran(world)
    world.clock.set(START + 3 * DAY - timedelta(milliseconds=1))
    second = ran(world)
    world.clock.set(START + 3 * DAY)
    foreseen = dry_run.dry_run(world.deployment, "spring", actor="mia").counts
    untouched = statuses(world)
    third = ran(world)

    assert [each.counts.chosen["mail"] for each in (first, second, third)] == [3, 0, 3]
    assert (foreseen.as_json(), untouched) == (third.counts.as_json(), ["reserved"] * 3)
    assert statuses(world) == ["expired", "reserved"] * 3
    assert world.rows("SELECT balance, entries FROM goodwill") == [(8_000, 4)] * 3
    assert [line[2] for line in lines(world, who[0])] == [10_000, 8_000, 10_000, 8_000]
    world.check_ledger()


def test_the_worker_lets_expire_what_nobody_looks_at(world):
    publish(world, **ONE_MAIL)
    willing(world, 5)
    ran(world)
    [first, *_] = reserved(world)
    claim(world, first)
    with world.store.write() as work:
        assert reservations.sweep(work, START + 7 * DAY - timedelta(milliseconds=1), 100) == 0
    taken = []
    for _ in range(4):
        with world.store.write() as work:
            taken.append(reservations.sweep(work, START + 7 * DAY, 2))

    assert (taken, sorted(statuses(world))) == ([2, 2, 1, 0], ["expired"] * 4 + ["lost"])


def test_what_was_handed_out_and_never_heard_of_counts(world):
    """It may have reached him: that can't be taken back."""
    rule(world, cap=[{"key": "any", "limit": 1, "days": 30}], goodwill=GOODWILL)
    contact = one(world)
    claim(world, contact)
    world.clock.advance(minutes=5)
    world.withdraw(contact[0], MAIL)
    refused = claim(world, contact)
    world.grant(contact[0], MAIL)

    assert (refused.rule, refused.state, refused.deferred) == (f"permission:{MAIL}", "lost", False)
    made = engine.decide_one(world.deployment, contact[0], campaign="spring", actor="mia")
    assert made.verdicts[0].rule == "company:any"
    assert [line[1] for line in lines(world, contact[0])] == [10_000, -2_000]
    assert told(world, contact, Did.DELIVER) == "delivered"  # whoever carried it says so, late


def test_what_a_live_decision_chose_is_in_the_callers_hands_unless_it_is_to_be_carried_out(world):
    publish(
        world,
        **ONE_MAIL,
    )
    who = willing(world, 2)
    engine.decide_one(world.deployment, who[0], campaign="spring", actor="mia")
    engine.decide_one(world.deployment, who[1], campaign="spring", actor="mia", carried=True)
    world.clock.advance(days=30)
    with world.store.write() as work:
        waiting = reservations.waiting(work, START, 10)
        assert reservations.sweep(work, world.clock(), 10) == 1

    assert [each.customer for each in waiting] == [who[1]]
    assert statuses(world) == ["reserved", "expired"]


def test_what_may_be_claimed_is_listed_most_urgent_first(world):
    for key, days in (("spring", 9), ("autumn", 2), ("winter", 5)):
        publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": key, "ttl_days": days}})
    willing(world, 1)
    for key in ("spring", "autumn", "winter"):
        ran(world, key)
    campaigns = dict(world.rows("SELECT decision, campaign FROM contact"))

    def waiting(**how):
        with world.store.read() as work:
            return [campaigns[each.decision] for each in reservations.waiting(work, world.clock(), 10, **how)]

    assert waiting() == ["autumn", "winter", "spring"]
    assert (waiting(channel="sms"), waiting(channel="email")) == ([], ["autumn", "winter", "spring"])
    claim(world, next(each for each in reserved(world) if campaigns[each[1]] == "winter"))
    assert waiting() == ["autumn", "spring"]
    world.clock.advance(seconds=60)
    assert waiting() == ["autumn", "winter", "spring"]
    world.clock.advance(days=2)
    assert waiting() == ["winter", "spring"]


# ------------------------------------------------------------------------------------------------- what the gate judges


@pytest.mark.parametrize(
    ("happens", "rule_", "observed"),
    [
        (lambda world, who: world.withdraw(who, MAIL), f"permission:{MAIL}", "WITHDRAWN"),
        (lambda world, who: world.withdraw(who, PURCHASES), f"permission:{PURCHASES}", "WITHDRAWN"),
        (lambda world, who: world.say(world.statement(who, "pause")), "hard_stop", "PAUSED"),
        (lambda world, who: world.say(world.statement(who, "restrict")), "hard_stop", "RESTRICTED"),
        (lambda world, who: world.remember(who, months_since_purchase=40), "audience", "false"),
    ],
    ids=["contact", "use", "pause", "restriction", "audience"],
)  # fmt: skip
def test_what_no_longer_stands_releases_the_contact_and_gives_back_its_charge(world, happens, rule_, observed):
    rule(world, goodwill=GOODWILL)
    contact = one(world)
    happens(world, contact[0])
    refused = claim(world, contact)

    assert (refused.rule, refused.observed, refused.state, refused.deferred) == (rule_, observed, "released", False)
    assert [line[2] for line in lines(world, contact[0])] == [10_000, 8_000, 10_000]
    assert (claim(world, contact).observed, deferred(world)) == ("released", [])
    world.check_ledger()


def test_who_is_suppressed_erased_or_goes_on_as_another_is_sent_nothing(world):
    publish(world, **ONE_MAIL)
    who = willing(world, 1)[0]
    world.say(world.statement(world.bo, "grant", *NEEDED))
    for customer in (world.ann, world.bo):
        world.remember(customer, months_since_purchase=3, spend_past_year=50.0)
    ran(world)
    whose = dict(reserved(world))
    suppress(world, "ann@shop.example")
    erase(world, world.bo)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, who, world.ann, actor="cy", at=world.clock())

    assert set(whose) == {world.ann, world.bo, who}
    assert claim(world, (world.ann, whose[world.ann])).observed == "SUPPRESSED"
    assert claim(world, (who, whose[who])).observed == "RESTRICTED"
    with pytest.raises(DecisionUnknown):
        claim(world, (world.bo, whose[world.bo]))
    with pytest.raises(DecisionUnknown):
        told(world, (world.bo, whose[world.bo]), Did.DELIVER)


def test_its_own_contact_does_not_count_against_itself_nor_its_own_charge(world):
    """A cap of one, a floor that lets one contact through: the reservation alone would refuse itself."""
    rule(world, goodwill={**GOODWILL, "opening": 10, "floor": 8}, cap=[{"key": "any", "limit": 1, "days": 30}])
    contact = one(world)
    assert isinstance(claim(world, contact), Message)


def test_what_came_later_counts_against_it(world):
    contact = one(world)
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "other", "class": "service"}})
    world.clock.advance(days=1)
    engine.decide_one(world.deployment, contact[0], campaign="other", actor="mia")
    rule(world, cap=[{"key": "any", "limit": 1, "days": 3}])
    refused = claim(world, contact)

    assert (refused.rule, refused.observed, refused.limit) == ("company:any", 1, 1)
    assert (refused.allowed_from, refused.state, refused.deferred) == ("2026-11-25T10:00:00.000Z", "released", True)
    assert deferred(world) == [(contact[0], "spring", "company:any", "waiting", 4.0, 7.0)]


def test_the_channel_that_was_asked_for_is_kept_for_the_next_time(world):
    """He is to be reached by text, also where a mail is worth more; who asked for no channel is reached by any."""
    by_text = {**TABLES["treatment"][1], "score": "0.03"}
    publish(world, treatment=[TABLES["treatment"][0], by_text], cap=[], campaign=HELD)
    asked, other = willing(world, 2)
    for who, channel in ((asked, "sms"), (other, "")):
        engine.decide_one(world.deployment, who, campaign="spring", channel=channel, actor="mia", carried=True)
    first = dict(world.rows("SELECT customer, channel FROM contact"))
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"])
    world.clock.set(START + timedelta(hours=12))
    refused = [claim(world, each) for each in reserved(world)]
    kept = dict(world.rows("SELECT customer, channel FROM deferral WHERE state = 'waiting'"))
    world.clock.set(START + timedelta(hours=21))
    again(world)

    assert {(each.rule, each.deferred) for each in refused} == {("hours:night", True)}
    assert (first, kept) == ({asked: "sms", other: "email"}, {asked: "sms", other: ""})
    assert dict(world.rows("SELECT customer, channel FROM contact WHERE status = 'reserved'")) == first
    world.check_ledger()


def test_at_night_it_waits_for_the_morning_and_is_decided_anew(world):
    contact = one(world)
    rule(world, hours=[NIGHT], fallback_zones=["Europe/Berlin"])
    world.clock.set(START + timedelta(hours=12))
    refused = claim(world, contact)
    early = again(world)
    world.clock.set(START + timedelta(hours=21))

    assert (refused.rule, refused.deferred, statuses(world)) == ("hours:night", True, ["released"])
    assert (early, again(world)) == (0, 1)
    assert (sent(world), statuses(world)) == (1, ["released", "sent"])
    world.check_ledger()


def test_what_would_be_allowed_only_after_its_time_to_live_is_given_up(world):
    contact = one(world)
    publish(world, **{**ONE_MAIL, "campaign": {**HELD, "key": "other"}})
    engine.decide_one(world.deployment, contact[0], campaign="other", actor="mia")
    rule(world, cap=[{"key": "any", "limit": 1, "days": 7}])
    world.clock.advance(hours=1)
    refused = claim(world, contact)

    assert (refused.rule, refused.state, refused.deferred) == ("company:any", "released", False)
    assert deferred(world) == []


def test_a_paused_campaign_sends_nothing_until_it_goes_on_and_a_stopped_one_never(world):
    publish(world, **ONE_MAIL)
    willing(world, 4)
    identity = running.start(world.deployment, "spring", actor="mia", four_eyes=False)

    def stops(done, _total):
        if done == 4:
            running.change(world.deployment, identity, run.PAUSED, actor="mia")

    running.advance(world.deployment, identity, progress=stops, most=2)
    contact = reserved(world)[0]
    with world.store.read() as work:
        assert reservations.waiting(work, world.clock(), 10) == []
    assert claim(world, contact) == Refusal(rule="campaign_paused", state=State.RESERVED)
    running.resume(world.deployment, "spring", actor="mia")
    assert isinstance(claim(world, contact), Message)
    running.stop(world.deployment, "spring", actor="mia")
    assert claim(world, reserved(world)[1]) == Refusal(rule="campaign_stopped", state=State.RELEASED)


def finished(world, count):
    """Publish a campaign of one mail, and have a run of it finish; return its contacts."""
    publish(world, **ONE_MAIL)
    willing(world, count)
    running.advance(world.deployment, running.start(world.deployment, "spring", actor="mia", four_eyes=False))
    return reserved(world)


def waiting(world):
    with world.store.read() as work:
        return [tuple(each) for each in reservations.waiting(work, world.clock(), 10)]


def test_what_a_finished_run_reserved_waits_while_its_campaign_is_paused(world):
    found = finished(world, 2)
    assert running.pause(world.deployment, "spring", actor="cy") is None
    held = (waiting(world), claim(world, found[0]), releasing.release(world.deployment))
    with pytest.raises(StateConflict, match="paused, and can't be paused"):
        running.pause(world.deployment, "spring", actor="cy")
    with pytest.raises(StateConflict, match="resume it, or stop it"):
        running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    assert running.resume(world.deployment, "spring", actor="cy") is None

    assert held == ([], Refusal(rule="campaign_paused", state=State.RESERVED), 0)
    assert sorted(waiting(world)) == sorted(map(tuple, found))
    assert isinstance(claim(world, found[0]), Message)
    with world.store.read() as work:
        stands = events.standing(work, "spring")
    assert ([str(each.did) for each in stands.events][-3:], stands.state) == (
        ["finished", "paused", "resumed"], "finished",
    )  # fmt: skip
    with pytest.raises(StateConflict, match="finished, and can't be resumed"):
        running.resume(world.deployment, "spring", actor="cy")
    world.check_ledger()


def test_what_a_finished_run_reserved_is_released_once_its_campaign_is_stopped(world):
    rule(world, goodwill=GOODWILL)
    found = finished(world, 3)
    sent_one = claim(world, found[2])
    assert running.stop(world.deployment, "spring", actor="cy") is None
    refused = claim(world, found[0])
    swept = [releasing.release(world.deployment, most=1) for _ in range(2)]

    assert isinstance(sent_one, Message)
    assert (refused, swept) == (Refusal(rule="campaign_stopped", state=State.RELEASED), [1, 0])
    assert statuses(world) == ["released", "released", "claimed"]
    assert [line[2] for line in lines(world, found[1][0])] == [10_000, 8_000, 10_000]
    with pytest.raises(RunUnknown):
        running.stop(world.deployment, "spring", actor="cy")
    world.check_ledger()


def test_what_was_reserved_before_a_stop_is_not_sent_when_the_campaign_starts_again(world):
    found = finished(world, 2)
    running.stop(world.deployment, "spring", actor="cy")
    world.clock.advance(seconds=1)
    again = running.start(world.deployment, "spring", actor="mia", four_eyes=False, again=True)
    running.advance(world.deployment, again)
    new = [each for each in reserved(world) if each not in found]

    assert (len(new), releasing.release(world.deployment)) == (2, 2)
    assert sorted(waiting(world)) == sorted(map(tuple, new))
    assert isinstance(claim(world, new[0]), Message)


def test_a_stop_of_an_older_version_releases_nothing_that_a_newer_one_decided(world):
    finished(world, 1)
    run_ = running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    publish(world, **{**ONE_MAIL, "treatment": [{**TABLES["treatment"][0], "content": "Another."}]})
    newer = willing(world, 3)[2]  # not of the first run
    decided = engine.decide_one(world.deployment, newer, campaign="spring", actor="mia", carried=True)
    running.change(world.deployment, run_, run.STOPPED, actor="cy")
    released = releasing.release(world.deployment)

    assert (released, claim(world, (newer, decided.id)).content) == (1, "Another.")


def test_nobody_is_decided_for_while_a_campaign_is_paused_nor_by_a_version_that_was_stopped(world):
    finished(world, 1)
    asked: dict[str, Any] = {"campaign": "spring", "actor": "mia"}
    running.pause(world.deployment, "spring", actor="cy")
    with pytest.raises(StateConflict, match="spring is paused"):
        engine.decide_one(world.deployment, world.ann, **asked)
    running.resume(world.deployment, "spring", actor="cy")
    before = engine.decide_one(world.deployment, world.ann, idempotency_key="once", **asked)
    running.stop(world.deployment, "spring", actor="cy")
    with pytest.raises(StateConflict, match="version 1 of spring was stopped"):
        engine.decide_one(world.deployment, world.ann, **asked)
    assert engine.decide_one(world.deployment, world.ann, idempotency_key="once", **asked) == before
    publish(world, **{**ONE_MAIL, "treatment": [{**TABLES["treatment"][0], "content": "Another."}]})
    assert engine.decide_one(world.deployment, world.bo, **asked).verdicts[0].candidate == "mail"


def test_a_campaign_that_only_decides_live_is_paused_and_goes_on_as_it_stood(world):
    publish(world, **ONE_MAIL)
    ann, bo = willing(world, 2)
    asked: dict[str, Any] = {"campaign": "spring", "actor": "mia", "carried": True}
    first = engine.decide_one(world.deployment, ann, **asked)
    running.pause(world.deployment, "spring", actor="cy")
    held = (waiting(world), claim(world, (ann, first.id)), releasing.release(world.deployment))
    with pytest.raises(StateConflict, match="spring is paused"):
        engine.decide_one(world.deployment, bo, **asked)
    with pytest.raises(StateConflict, match="resume it, or stop it"):
        running.start(world.deployment, "spring", actor="mia", four_eyes=False)
    with pytest.raises(StateConflict, match="paused, and can't be paused"):
        running.pause(world.deployment, "spring", actor="cy")
    running.resume(world.deployment, "spring", actor="cy")

    assert held == ([], Refusal(rule="campaign_paused", state=State.RESERVED), 0)
    with world.store.read() as work:
        stands = events.standing(work, "spring")
    assert ([str(each.state) for each in stands.events], stands.live) == (
        ["paused", "draft"], None,
    )  # fmt: skip
    assert isinstance(claim(world, (ann, first.id)), Message)
    assert engine.decide_one(world.deployment, bo, **asked).chosen is not None
    world.check_ledger()


def test_a_stop_ends_all_versions_so_far_and_what_they_reserved(world):
    publish(world, **ONE_MAIL)
    ann, bo, _ = willing(world, 3)
    asked: dict[str, Any] = {"campaign": "spring", "actor": "mia", "carried": True}
    engine.decide_one(world.deployment, ann, **asked)
    running.pause(world.deployment, "spring", actor="cy")
    newer = {**ONE_MAIL, "treatment": [{**TABLES["treatment"][0], "content": "Another."}]}
    publish(world, **newer)
    running.stop(world.deployment, "spring", actor="cy")

    with world.store.read() as work:
        stands = events.standing(work, "spring")
    assert [stands.state_of(1), stands.state_of(2), stands.live] == ["stopped", "stopped", None]
    assert [stands.halts.ended(version) for version in (1, 2, 3)] == [True, True, False]
    assert (releasing.release(world.deployment), statuses(world)) == (1, ["released"])
    with pytest.raises(StateConflict, match="version 2 of spring was stopped"):
        engine.decide_one(world.deployment, bo, **asked)
    with pytest.raises(RunUnknown, match="version 2 of spring was stopped"):
        running.stop(world.deployment, "spring", actor="cy")
    with pytest.raises(RunUnknown, match="version 2 of spring was stopped"):
        running.pause(world.deployment, "spring", actor="cy")
    publish(world, **{**ONE_MAIL, "treatment": [{**TABLES["treatment"][0], "content": "A third."}]})
    assert engine.decide_one(world.deployment, bo, **asked).chosen is not None


def test_calling_a_start_off_releases_nothing(world):
    found = finished(world, 1)
    due_at = world.clock() + DAY
    approving.schedule(world.deployment, "spring", due_at=due_at, actor="mia", four_eyes=False)
    with pytest.raises(StateConflict, match="call that off first"):
        running.pause(world.deployment, "spring", actor="cy")
    running.stop(world.deployment, "spring", actor="cy")

    assert (releasing.release(world.deployment), waiting(world)) == (0, [tuple(found[0])])
    assert running.pause(world.deployment, "spring", actor="cy") is None
    assert waiting(world) == []


def test_a_stricter_contact_policy_binds_what_was_reserved_under_an_older_one(world):
    contact = one(world)
    rule(world, cap=[{"key": "none", "limit": 0, "days": 1}])
    refused = claim(world, contact)
    assert (refused.rule, refused.allowed_from, refused.state) == ("company:none", None, "released")


def test_another_version_of_the_campaign_changes_nothing_of_what_is_under_way(world):
    contact = one(world)
    publish(world, **{**ONE_MAIL, "treatment": [{**TABLES["treatment"][0], "content": "Another."}]})
    assert claim(world, contact).content == "By mail."


def test_a_ghost_is_nobodys_to_send(world):
    publish(world, treatment=TABLES["treatment"][:1], campaign={"holdout": {"share": 0.9, "salt": "s"}})
    willing(world, 12)
    ran(world)
    ghost = world.rows("SELECT customer, decision FROM contact WHERE status = 'ghost'")[0]
    assert claim(world, ghost) == Refusal(rule="state", state=State.GHOST, observed="ghost")
    with pytest.raises(StateConflict):
        told(world, ghost, Did.FAIL_HARD)


def test_a_ghost_counts_on_where_a_contact_that_nobody_sent_lapses_and_the_arms_stay_as_they_were(world):
    """It stands for a contact that was sent; whom it was first decided to contact is what results go by."""
    rule(world, cap=[{"key": "any", "limit": 1, "days": 30}])
    holdout = {"holdout": {"share": 0.5, "salt": "s"}}
    publish(world, treatment=TABLES["treatment"][:1], cap=[], campaign=holdout)
    willing(world, 24)
    first = ran(world)
    with world.store.write() as work:
        assert reservations.sweep(work, START + 7 * DAY, 100) == first.counts.chosen["mail"]
    before = results(world.deployment, "spring", actor="mia")
    world.clock.set(START + 7 * DAY)
    second = ran(world)
    after = results(world.deployment, "spring", actor="mia")

    ghosts = 24 - first.counts.chosen["mail"]
    assert (second.counts.chosen["mail"], statuses(world).count("ghost")) == (first.counts.chosen["mail"], ghosts)
    assert second.counts.deferred == 0  # none of them would be let through within a time to live
    assert (after.addressed.customers, after.held_out.customers) == (24 - ghosts, ghosts)
    assert (before.addressed, before.held_out) == (after.addressed, after.held_out)


def test_only_the_gate_claims(world):
    contact = one(world)
    with pytest.raises(StateConflict):
        told(world, contact, Did.CLAIM)
    assert statuses(world) == ["reserved"]
