"""The life of campaigns: where a second person is demanded nothing runs without him, and all of it can be proved."""

import threading
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from api.jobs import campaigns as worker
from api.settings import Settings
from api.wiring import House
from consent import jobs
from consent.audit import run as audits
from consent.base.clock import rfc3339
from consent.base.errors import (
    ByleaveError,
    CampaignInvalid,
    CampaignUnknown,
    CampaignUnready,
    Fenced,
    NotAllowed,
    Place,
    RequestUnfit,
    RunUnknown,
    StateConflict,
    VersionMoved,
)
from consent.ledger.entry import Kind
from consent.ledger.position import parts
from consent.register import publishing
from personalise import audit_checks, engine
from personalise.audit_checks import approvals
from personalise.campaigns.reading import parse_campaign
from personalise.life import approving, events, running
from personalise.life.events import Did, State
from personalise.life.running import Came
from personalise.runs import dry_run
from personalise.runs import run as runs
from tests.attacker import Attacker
from tests.builders import START, toml
from tests.campaigns import again, chunks, decisions, fill, open_run, publish, ready, willing
from tests.flows.test_contact_policy import NIGHT, rule

APPROVALS = tuple(check for check in audit_checks.CHECKS if check.key == approvals.KEY)
ALONE: dict[str, Any] = {"actor": "mia", "four_eyes": False}
SECOND: dict[str, Any] = {"actor": "cy", "four_eyes": True}


def put(world, *, four_eyes=True, **changes):
    """Publish the campaign in Mia's name, and return its version."""
    text = toml(ready(**changes))
    with world.store.write() as work:
        desk = world.deployment.desk
        read = parse_campaign(text, "toml", desk.catalogues.current(work))
        return approving.publish(desk, work, read, actor=world.mia, four_eyes=four_eyes, at=world.clock())


def stands(world, key="spring"):
    with world.store.read() as work:
        return events.standing(work, key)


def did(world):
    return [(each.version, str(each.did), each.actor) for each in stands(world).events]


def tried(world):
    dry_run.dry_run(world.deployment, "spring", actor="mia")


def findings(world):
    report = audits.run(world.deployment, APPROVALS, asked_by="cy")
    [checked] = report.checks
    assert not checked.gaps
    return [(each.subject, each.why) for each in checked.findings]


def house(world, *, four_eyes=True):
    settings = Settings(database_url=world.url, keyring=world.keyring, four_eyes=four_eyes)
    return House(settings=settings, deployment=world.deployment)


def ran(world, run):
    return running.advance(world.deployment, run, most=20)


@pytest.fixture
def shop(world):
    """Return a world with customers, and a version that was tried out and waits for its approval."""
    fill(world, 30)
    put(world)
    tried(world)
    return world


# ------------------------------------------------------------------------------------------------------- with four eyes


def test_a_campaign_goes_from_a_draft_to_its_end_and_the_ledger_has_each_step(shop):
    deployment = shop.deployment
    assert approving.check(deployment, "spring", actor="mia", four_eyes=True).ok
    assert approving.approve(deployment, "spring", **SECOND).state == State.APPROVED
    run = running.start(deployment, "spring", **SECOND)
    running.pause(deployment, "spring", actor="cy")
    assert stands(shop).state == State.PAUSED
    running.resume(deployment, "spring", actor="mia")
    ended = ran(shop, run)

    assert (ended.state, ended.done, stands(shop).state) == ("finished", 32, State.FINISHED)
    assert did(shop) == [
        (1, "published", "mia"), (1, "checked", "mia"), (1, "approved", "cy"), (1, "started", "cy"),
        (1, "paused", "cy"), (1, "resumed", "mia"), (1, "finished", "cy"),
    ]  # fmt: skip
    with shop.store.read() as work:
        desk = shop.deployment.desk
        told = [publishing.noted(desk, work, *parts(each.position)) for each in stands(shop).events]
        digest = events.published(work, "spring").digest
    assert told == [events.told(each, digest) for each in stands(shop).events]
    assert {each["four_eyes"] for each in told} == {True}
    assert findings(shop) == []
    shop.check_ledger()


def test_whoever_published_a_version_cannot_approve_it(shop):
    size = shop.size()
    with pytest.raises(NotAllowed):
        approving.approve(shop.deployment, "spring", actor="mia", four_eyes=True)
    assert (stands(shop).state, shop.size()) == (State.DRAFT, size)


def test_what_was_not_approved_is_neither_started_nor_scheduled(shop):
    for refused in (
        lambda: running.start(shop.deployment, "spring", **SECOND),
        lambda: approving.schedule(shop.deployment, "spring", due_at=START + timedelta(hours=1), **SECOND),
    ):
        with pytest.raises(StateConflict, match="somebody else approves it"):
            refused()
    assert shop.rows("SELECT id FROM run") == []


def test_what_breaks_a_rule_that_binds_is_refused_with_every_place(world):
    put(world, campaign={"goodwill_budget": 0})
    with pytest.raises(CampaignUnready) as refused:
        approving.approve(world.deployment, "spring", **SECOND)
    assert [place.where for place in refused.value.places] == ["campaign.goodwill_budget", "dry_run"]
    assert not approving.check(world.deployment, "spring", **SECOND).ok
    assert stands(world).state == State.DRAFT


def test_a_dry_run_of_yesterday_or_of_another_version_does_not_do(shop):
    shop.clock.advance(days=8)
    with pytest.raises(CampaignUnready, match="days old"):
        approving.approve(shop.deployment, "spring", **SECOND)
    tried(shop)
    put(shop, campaign={"name": "Spring again"})
    with pytest.raises(CampaignUnready, match="Nobody has looked"):
        approving.approve(shop.deployment, "spring", **SECOND)
    tried(shop)
    assert approving.approve(shop.deployment, "spring", **SECOND).version == 2


def test_an_approval_lapses_with_the_catalogue_that_it_was_given_under(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    with shop.store.read() as work:
        body = shop.deployment.desk.catalogues.current(work).body
    shop.publish(body + "\n# a remark\n")
    with pytest.raises(StateConflict, match="another catalogue"):
        running.start(shop.deployment, "spring", **SECOND)
    tried(shop)
    approving.approve(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", **SECOND)
    assert findings(shop) == []


def test_a_new_version_leaves_the_running_one_as_it_is(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    run = running.start(shop.deployment, "spring", **SECOND)
    assert put(shop, campaign={"name": "Spring again"}) == 2
    now = stands(shop)
    assert (now.version, now.state, now.state_of(1), now.live.version) == (2, State.DRAFT, State.RUNNING, 1)
    assert (ran(shop, run).version, stands(shop).state_of(1), stands(shop).state) == (1, State.FINISHED, State.DRAFT)


@pytest.mark.parametrize("change", [{"share": 0.2}, {"salt": "t"}])
def test_who_is_held_out_does_not_change_while_a_version_is_live(shop, change):
    approving.approve(shop.deployment, "spring", **SECOND)
    run = running.start(shop.deployment, "spring", **SECOND)
    other = {"holdout": {"share": 0.1, "salt": "s"} | change}
    [name] = change

    with pytest.raises(CampaignInvalid) as refused:
        put(shop, campaign=other)
    assert list(refused.value.places) == [
        Place(f"campaign.holdout.{name}", "can't change while version 1 is running: end or stop it first")
    ]
    assert stands(shop).version == 1
    assert put(shop, campaign={"name": "Another name"}) == 2  # anything else may

    ran(shop, run)
    assert put(shop, campaign=other) == 3


def test_a_version_under_way_is_not_approved_or_scheduled_again(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    with pytest.raises(StateConflict, match="approved already"):
        approving.approve(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", **SECOND)
    for refused in (
        lambda: approving.approve(shop.deployment, "spring", **SECOND),
        lambda: running.start(shop.deployment, "spring", **SECOND),
        lambda: approving.schedule(shop.deployment, "spring", due_at=START + timedelta(hours=1), **SECOND),
    ):
        with pytest.raises(StateConflict):
            refused()


def test_who_looked_at_yesterdays_campaign_changes_nothing(shop):
    tag = stands(shop).tag
    put(shop, campaign={"name": "Spring again"})
    size = shop.size()
    for late in (
        lambda: approving.check(shop.deployment, "spring", tag=tag, **SECOND),
        lambda: approving.approve(shop.deployment, "spring", tag=tag, **SECOND),
        lambda: approving.approve(shop.deployment, "spring", version=1, **SECOND),
        lambda: running.start(shop.deployment, "spring", tag=tag, **SECOND),
    ):
        with pytest.raises(VersionMoved):
            late()
    assert shop.size() == size


def test_a_late_tag_does_not_pause_a_run(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    tag = stands(shop).tag
    run = running.start(shop.deployment, "spring", **SECOND)
    with pytest.raises(VersionMoved):
        running.pause(shop.deployment, "spring", actor="cy", tag=tag)
    assert runs.read(shop.deployment, run).state == "running"
    paused = running.pause(shop.deployment, "spring", actor="cy", tag=stands(shop).tag)
    assert paused is not None
    assert paused.state == "paused"


# ----------------------------------------------------------------------------------------------------------- by oneself


def test_one_person_alone_publishes_and_starts_and_the_ledger_says_so(world):
    fill(world, 10)
    put(world, four_eyes=False)
    run = running.start(world.deployment, "spring", **ALONE)
    assert did(world) == [(1, "published", "mia"), (1, "approved", "mia"), (1, "started", "mia")]
    approved = stands(world).events[1]
    assert (approved.four_eyes, approved.by_another, "dry_run" in approved.rules) == (False, False, False)
    assert ran(world, run).state == "finished"
    running.start(world.deployment, "spring", **ALONE)  # what was approved once may run again
    assert [each.did for each in stands(world).events[3:]] == [Did.FINISHED, Did.STARTED]
    assert findings(world) == []


def test_a_file_of_yesterday_can_still_be_run_by_one_person(world):
    fill(world, 10)
    publish(world)
    assert ran(world, running.start(world.deployment, "spring", **ALONE)).state == "finished"


def test_even_one_person_alone_cannot_start_what_nobody_may(world):
    put(world, four_eyes=False, campaign={"benefit": "TBD"})
    with pytest.raises(CampaignUnready) as refused:
        running.start(world.deployment, "spring", **ALONE)
    assert [place.where for place in refused.value.places] == ["campaign.benefit"]
    assert (world.rows("SELECT id FROM run"), did(world)) == ([], [(1, "published", "mia")])


def test_what_one_person_approved_does_not_do_once_four_eyes_are_demanded(shop):
    approving.approve(shop.deployment, "spring", **ALONE)
    with pytest.raises(StateConflict, match="by who published it"):
        running.start(shop.deployment, "spring", **SECOND)
    approving.approve(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", **SECOND)
    assert findings(shop) == []


def test_what_was_stopped_is_neither_started_nor_scheduled_unless_that_is_known(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", **SECOND)
    running.stop(shop.deployment, "spring", actor="cy", reason="closed")
    due_at = START + timedelta(hours=1)
    for refused in (
        lambda: running.start(shop.deployment, "spring", **SECOND),
        lambda: approving.schedule(shop.deployment, "spring", due_at=due_at, **SECOND),
    ):
        with pytest.raises(StateConflict, match=r"version 1 of spring was stopped on .* \(closed\)"):
            refused()
    assert len(shop.rows("SELECT id FROM run")) == 1
    approving.schedule(shop.deployment, "spring", due_at=due_at, again=True, **SECOND)
    shop.clock.advance(hours=1)
    worker.due(house(shop), "a worker")
    assert (stands(shop).state, len(shop.rows("SELECT id FROM run"))) == (State.RUNNING, 2)
    assert findings(shop) == []
    shop.check_ledger()


def test_what_was_stopped_stays_so_until_it_is_started_again_whatever_else_becomes_of_it(shop):
    def asked():
        return engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia", four_eyes=True)

    approving.approve(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", **SECOND)
    running.stop(shop.deployment, "spring", actor="cy", reason="closed")
    with pytest.raises(StateConflict, match="was stopped"):
        asked()
    soon = {"due_at": START + timedelta(hours=1), **SECOND}
    approving.schedule(shop.deployment, "spring", again=True, **soon)
    approving.schedule(
        shop.deployment, "spring", **{**soon, "due_at": START + timedelta(hours=2)}
    )  # moved: it was said
    running.stop(shop.deployment, "spring", actor="cy", reason="called off")
    with pytest.raises(StateConflict, match="was stopped"):
        asked()
    with pytest.raises(StateConflict, match=r"was stopped on 2026-11-21T10:00:00.000Z \(closed\)"):
        running.start(shop.deployment, "spring", **SECOND)
    running.start(shop.deployment, "spring", again=True, **SECOND)
    assert asked().campaign == "spring"


# ------------------------------------------------------------------------------------------------------------ scheduled


def scheduled(world, **after):
    approving.approve(world.deployment, "spring", **SECOND)
    return approving.schedule(
        world.deployment, "spring", due_at=START + timedelta(**after), actor="mia", four_eyes=True
    )


def test_the_worker_starts_it_when_its_time_has_come_and_once(shop):
    assert scheduled(shop, hours=1).state == State.SCHEDULED
    worker.due(house(shop), "a worker")
    assert stands(shop).state == State.SCHEDULED
    shop.clock.advance(hours=1)
    for _ in range(3):
        worker.due(house(shop), "a worker")
    assert [(each.did, each.actor) for each in stands(shop).events][-2:] == [
        (Did.SCHEDULED, "mia"),
        (Did.STARTED, "mia"),
    ]
    assert (len(shop.rows("SELECT id FROM run")), findings(shop)) == (1, [])


@pytest.mark.parametrize("order", [("autumn", "spring"), ("spring", "autumn")])
def test_of_two_that_are_scheduled_for_one_time_the_one_that_was_scheduled_first_starts_first(world, order):
    """They may want the same customers: what they are called doesn't decide who has them."""
    fill(world, 3)
    for key in order:
        put(world, campaign={"key": key}, four_eyes=False)
        dry_run.dry_run(world.deployment, key, actor=world.mia)
        approving.approve(world.deployment, key, actor=world.mia, four_eyes=False)
        due_at = START + timedelta(hours=1)
        approving.schedule(world.deployment, key, due_at=due_at, actor=world.mia, four_eyes=False)
    at = world.clock.advance(hours=1)

    with world.store.read() as work:
        assert tuple(each.campaign for each in events.due(work, at)) == order


def test_a_time_that_was_missed_is_made_up_for_once(shop):
    scheduled(shop, hours=1)
    shop.clock.advance(days=3)
    worker.due(house(shop), "a worker")
    with shop.store.read() as work:
        going = runs.going(work, "spring")
    ran(shop, going)
    worker.due(house(shop), "a worker")
    assert (len(shop.rows("SELECT id FROM run")), stands(shop).state) == (1, State.FINISHED)


def test_of_many_workers_one_starts_it(shop):
    scheduled(shop, hours=1)
    shop.clock.advance(hours=2)
    together(*(lambda name=f"worker {number}": worker.due(house(shop), name) for number in range(4)))
    assert [each.did for each in stands(shop).events].count(Did.STARTED) == 1
    assert len(shop.rows("SELECT id FROM run")) == 1
    shop.check_ledger()


def test_a_worker_that_was_taken_over_starts_nothing(shop):
    scheduled(shop, hours=1)
    at = shop.clock.advance(hours=1)
    with shop.store.read() as work:
        [waiting] = events.due(work, at)
    due_at = waiting.due_at or at
    with shop.store.write() as work:
        stale = jobs.claim(work, worker.job_of(waiting), due_at, "stale", at=at, lease_seconds=1)
    shop.clock.advance(seconds=2)
    with shop.store.write() as work:
        assert jobs.claim(work, worker.job_of(waiting), due_at, "new", at=shop.clock(), lease_seconds=60)
    assert stale is not None

    def close(work, came):
        jobs.finish(work, stale, state=came, detail="", at=shop.clock())

    with pytest.raises(Fenced):
        running.start_due(shop.deployment, waiting, four_eyes=True, closing=close)
    assert (shop.rows("SELECT id FROM run"), stands(shop).state) == ([], State.SCHEDULED)


def test_what_was_scheduled_is_not_started_once_its_approval_is_gone(shop):
    scheduled(shop, hours=1)
    with shop.store.read() as work:
        body = shop.deployment.desk.catalogues.current(work).body
    shop.publish(body + "\n# a remark\n")
    shop.clock.advance(hours=1)
    worker.due(house(shop), "a worker")
    last = stands(shop).events[-1]
    assert (last.did, last.reason, stands(shop).state) == (
        Did.LAPSED, "its approval does not hold any more", State.DRAFT,
    )  # fmt: skip
    assert shop.rows("SELECT id FROM run") == []


def test_a_scheduled_start_is_cancelled_or_moved(shop):
    scheduled(shop, hours=1)
    approving.schedule(shop.deployment, "spring", due_at=START + timedelta(hours=3), actor="mia", four_eyes=True)
    shop.clock.advance(hours=2)
    worker.due(house(shop), "a worker")
    assert stands(shop).live.due_at == START + timedelta(hours=3)
    assert running.stop(shop.deployment, "spring", actor="cy", reason="the shop is closed") is None
    shop.clock.advance(hours=2)
    worker.due(house(shop), "a worker")
    last = stands(shop).events[-1]
    assert (last.did, last.reason, shop.rows("SELECT id FROM run")) == (Did.STOPPED, "the shop is closed", [])


def test_another_version_does_not_start_beside_a_scheduled_one(shop):
    scheduled(shop, hours=1)
    put(shop, campaign={"name": "Spring again"})
    tried(shop)
    approving.approve(shop.deployment, "spring", **SECOND)
    with pytest.raises(StateConflict, match="version 1 of spring is scheduled"):
        running.start(shop.deployment, "spring", **SECOND)


def test_a_start_that_is_due_waits_for_a_run_under_way(shop):
    scheduled(shop, hours=1)
    open_run(shop.deployment, "spring", actor="somebody of yesterday")
    shop.clock.advance(hours=1)
    with shop.store.read() as work:
        [waiting] = events.due(work, shop.clock())
    came = []
    assert (
        running.start_due(shop.deployment, waiting, four_eyes=True, closing=lambda _work, what: came.append(what))
        == Came.WAITS
    )
    assert came == [Came.WAITS]


@pytest.mark.parametrize("after", [{}, {"seconds": -1}, {"days": 367}])
def test_a_time_that_is_over_or_far_away_is_refused(shop, after):
    with pytest.raises(RequestUnfit):
        scheduled(shop, **after)


def test_what_is_not_there_is_said_so(world):
    for asked in (
        lambda: approving.approve(world.deployment, "autumn", **SECOND),
        lambda: running.start(world.deployment, "autumn", **SECOND),
        lambda: running.stop(world.deployment, "autumn", actor="cy"),
        lambda: running.pause(world.deployment, "autumn", actor="cy"),
    ):
        with pytest.raises(CampaignUnknown):
            asked()
    publish(world)
    with pytest.raises(StateConflict, match="draft, and can't be resumed"):
        running.resume(world.deployment, "spring", actor="cy")
    running.stop(world.deployment, "spring", actor="cy")
    for change in (running.stop, running.pause, running.resume):
        with pytest.raises(RunUnknown, match="version 1 of spring was stopped"):
            change(world.deployment, "spring", actor="cy")


# ---------------------------------------------------------------------------------------------------------------- races


def together(*tasks):
    """Do tasks at the same time, and return what each came to: None, or the kind of error."""
    ready_ = threading.Barrier(len(tasks))
    came: list[type[ByleaveError] | None] = [None] * len(tasks)

    def do(spot, task):
        ready_.wait()
        try:
            task()
        except ByleaveError as refused:
            came[spot] = type(refused)

    threads = [threading.Thread(target=do, args=each) for each in enumerate(tasks)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return came


def test_of_two_approvals_at_once_one_counts(shop):
    came = together(
        *(
            lambda who=who: approving.approve(shop.deployment, "spring", actor=who, four_eyes=True)
            for who in ("cy", "al")
        )
    )
    assert sorted(map(str, came)) == sorted(map(str, (None, StateConflict)))
    assert [each.did for each in stands(shop).events] == [Did.PUBLISHED, Did.APPROVED]
    shop.check_ledger()


def test_an_approval_against_a_publication_approves_what_was_looked_at_or_nothing(shop):
    tag = stands(shop).tag
    came = together(
        lambda: approving.approve(shop.deployment, "spring", tag=tag, **SECOND),
        lambda: put(shop, campaign={"name": "Spring again"}),
    )
    approved = [each.version for each in stands(shop).events if each.did == Did.APPROVED]
    assert (approved, came) in (([1], [None, None]), ([], [VersionMoved, None]))
    assert stands(shop).state == State.DRAFT  # of version 2


def test_a_start_against_a_stop_leaves_one_truth(shop):
    scheduled(shop, hours=1)
    came = together(
        lambda: running.start(shop.deployment, "spring", **SECOND),
        lambda: running.stop(shop.deployment, "spring", actor="al"),
    )
    found = shop.rows("SELECT state FROM run")
    last = stands(shop).events[-1]
    # Stopped first, and started after all; or started first, and that run stopped.
    assert (found, last.did) in (([("running",)], Did.STARTED), ([("stopped",)], Did.STOPPED))
    assert came == [None, None]
    assert findings(shop) == []
    shop.check_ledger()


def test_an_end_against_a_stop_is_one_of_the_two(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    run = running.start(shop.deployment, "spring", **SECOND)

    def stop():
        with suppress(RunUnknown, StateConflict):
            running.stop(shop.deployment, "spring", actor="al")

    together(lambda: ran(shop, run), stop)
    assert stands(shop).state == runs.read(shop.deployment, run).state
    assert stands(shop).state in (State.FINISHED, State.STOPPED)
    shop.check_ledger()


# --------------------------------------------------------------------------------------------------------------- audits


def forged(world, **changes):
    """Write an event behind the product's back, as a row like the last one; return its subject."""
    last = stands(world).events[-1]
    log, seq = parts(last.position)
    row = {
        "campaign": "spring", "log": log, "seq": seq + 1_000, "version": 1, "at": world.clock(), "actor": "cy",
        "event": "approved", "reason": "", "run": "", "catalogue": 1, "four_eyes": True, "publisher": "mia",
        "rules": "", **changes,
    }  # fmt: skip
    row["at"] = int(row["at"].timestamp() * 1000)
    names = ", ".join(row)
    values = ", ".join(f":{name}" for name in row)
    world.tamper(f"INSERT INTO campaign_event ({names}) VALUES ({values})", **row)  # noqa: S608 -- our own names
    return f"campaign_event spring {last.position + 1_000}"


def test_a_forged_approval_is_found_by_its_name(shop):
    subject = forged(shop)
    assert findings(shop) == [(subject, "no entry of the ledger tells of it")]


def went_on(shop, back):
    """Pause and resume a version that was approved; then have its row say that it stood otherwise before."""
    approving.approve(shop.deployment, "spring", **SECOND)
    running.pause(shop.deployment, "spring", actor="cy")
    running.resume(shop.deployment, "spring", actor="cy")
    assert (stands(shop).state, findings(shop)) == (State.APPROVED, [])
    Attacker(shop).do("UPDATE campaign_event SET back = :back WHERE event = 'resumed'", back=back)
    return stands(shop).events[-1].position


def test_how_a_version_stood_before_its_pause_is_held_against_the_ledger(shop):
    place = went_on(shop, "checked")
    assert findings(shop) == [(f"campaign_event spring {place}", f"its state is not what entry {place} says")]


def test_a_version_that_went_on_before_it_was_kept_how_it_stood_had_finished(shop):
    """Migration 0021: nothing else could go on without a run then."""
    went_on(shop, "")
    assert stands(shop).state is State.FINISHED


def test_a_run_that_a_forged_approval_let_start_is_found(shop):
    subject = forged(shop)
    run = running.start(shop.deployment, "spring", **SECOND)
    assert findings(shop) == [
        (subject, "no entry of the ledger tells of it"),
        (run, "version 1 of spring was approved by nobody under catalogue 1"),
    ]


def test_a_run_that_nobody_let_start_is_found(shop):
    run = open_run(shop.deployment, "spring", actor="mia")
    assert findings(shop) == []  # it has addressed nobody yet
    runs.advance(shop.deployment, run)
    assert decisions(shop, run)
    assert findings(shop) == [(run, "no entry says who let the run of spring start")]
    shop.tamper("DELETE FROM run")
    assert findings(shop) == [(run, "the ledger commits to what it decided, and no row of run is there")]


def test_a_run_of_before_the_ledger_told_of_campaigns_is_not_judged(world):
    fill(world, 5)
    publish(world)
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"))
    put(world, campaign={"name": "Spring again"})
    assert findings(world) == []


def test_an_approval_of_oneself_where_four_eyes_were_demanded_is_found(shop):
    approving.approve(shop.deployment, "spring", **ALONE)
    with shop.store.write() as work:
        version = events.published(work, "spring")
        run = runs.opened(shop.deployment, work, "spring", actor="mia", at=shop.clock())
        started = events.Event(
            campaign="spring", version=1, did=Did.STARTED, at=shop.clock(), actor="mia", run=run, catalogue=1,
            four_eyes=True, publisher="mia",
        )  # fmt: skip
        events.note(shop.deployment.desk, work, started, version.digest)
    assert findings(shop) == [(run, "four eyes were demanded, and mia had published what he approved")]


def test_a_step_that_is_said_to_have_been_at_another_time_is_found(shop):
    approving.approve(shop.deployment, "spring", **SECOND)
    Attacker(shop).do("UPDATE campaign_event SET at = 0 WHERE event = 'approved'")
    [(subject, why)] = findings(shop)
    assert subject == f"campaign_event spring {stands(shop).events[-1].position}"
    assert why.startswith("it is said to have been at 1970-01-01T00:00:00.000Z, and entry ")


def test_rules_that_were_said_to_be_kept_are_judged_again(world):
    put(world, campaign={"goodwill_budget": 0})
    with world.store.write() as work:
        version = events.published(work, "spring")
        run = runs.opened(world.deployment, work, "spring", actor="cy", at=world.clock())
        told = {"campaign": "spring", "version": 1, "at": world.clock(), "actor": "cy", "catalogue": 1}
        for step in (
            events.Event(
                did=Did.APPROVED, four_eyes=True, publisher="mia", rules=("goodwill_budget", "purpose"), **told
            ),
            events.Event(did=Did.STARTED, four_eyes=True, publisher="mia", run=run, **told),
        ):
            events.note(world.deployment.desk, work, step, version.digest)
    position = stands(world).events[1].position
    assert findings(world) == [(run, f"entry {position} says that it keeps what it breaks: goodwill_budget")]


def test_a_step_that_was_taken_out_of_the_record_is_found(shop):
    with shop.store.write() as work:
        version = events.published(work, "spring")
        step = events.Event(
            campaign="spring", version=1, did=Did.APPROVED, at=shop.clock(), actor="cy", catalogue=1, four_eyes=True,
            publisher="mia",
        )  # fmt: skip
        told = events.told(step, version.digest)
        entry = publishing.note(shop.deployment.desk, work, Kind.CAMPAIGN_CHANGED, told, at=shop.clock())
    assert findings(shop) == [(f"ledger_entry {entry.position}", "it says that spring was approved, and no row does")]


def test_what_the_ledger_says_names_no_customer(shop):
    scheduled(shop, hours=1)
    with shop.store.read() as work:
        told = publishing.noted(shop.deployment.desk, work, *parts(stands(shop).events[-1].position))
    assert told == {
        "actor": "mia", "campaign": "spring", "catalogue": 1, "due_at": rfc3339(START + timedelta(hours=1)),
        "event": "scheduled", "four_eyes": True, "hash": told["hash"], "publisher": "mia", "reason": "", "rules": [],
        "run": "", "state": "scheduled", "version": 1,
    }  # fmt: skip


# ----------------------------------------------------------------------------------------------- live decisions


def test_live_decisions_go_by_the_newest_approved_version_where_a_second_person_is_demanded(world):
    [who] = willing(world, 1)
    put(world)
    with pytest.raises(StateConflict, match="no version of spring is approved"):
        engine.decide_one(world.deployment, who, campaign="spring", actor="mia", four_eyes=True)
    dry_run.dry_run(world.deployment, "spring", actor="mia")
    approving.approve(world.deployment, "spring", actor="cy", four_eyes=True)
    put(world, campaign={"name": "Another"})

    with world.store.read() as work:
        found = [
            approving.in_force(world.deployment.desk, work, "spring", four_eyes=demanded) for demanded in (True, False)
        ]
    for demanded in (True, False):
        engine.decide_one(world.deployment, who, campaign="spring", actor="mia", four_eyes=demanded)
    assert (found, [each.about["version"] for each in chunks(world)]) == ([1, 2], [1, 2])


UNREADY: dict[str, Any] = {"campaign": {"benefit": "tbd"}}
"""What breaks a rule that binds also where nobody has to approve."""


def test_where_nobody_has_to_approve_live_decisions_go_by_the_newest_version_that_may_be_run(world):
    [who] = willing(world, 1)
    put(world, four_eyes=False)
    put(world, four_eyes=False, campaign={"benefit": "tbd", "name": "Another"})
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    assert [each.about["version"] for each in chunks(world)] == [1]
    put(world, four_eyes=False, campaign={"name": "A third"})
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    assert [each.about["version"] for each in chunks(world)] == [1, 3]


@pytest.mark.parametrize("known", [True, False])
def test_by_a_version_that_could_not_be_run_nobody_is_decided_about(world, known):
    [who] = willing(world, 1)
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    world.publish(body + '\n[[channel]]\nkey = "site"\ntitle = "Our site"\n')
    site = {"key": "site", "offer": "range", "channel": "site", "content": "Look.", "score": "0.1"}
    put(world, four_eyes=False, treatment=[site], cap=[], **UNREADY)
    with pytest.raises(CampaignUnready) as refused:
        engine.decide_one(world.deployment, who if known else None, campaign="spring", actor="mia", channel="site")
    assert [place.where for place in refused.value.places] == ["campaign.benefit"]
    with pytest.raises(CampaignUnready):
        running.start(world.deployment, "spring", **ALONE)
    assert chunks(world) == []


def test_who_is_held_out_does_not_change_while_programs_get_decisions(world):
    [who] = willing(world, 1)
    put(world, four_eyes=False)
    other = {"holdout": {"share": 0.2, "salt": "t"}}
    assert put(world, four_eyes=False, campaign=other) == 2, "nobody was decided about yet"
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    with pytest.raises(CampaignInvalid) as refused:
        put(world, four_eyes=False)
    why = "can't change while version 2 decides about whoever asks: stop it first"
    assert list(refused.value.places) == [Place(f"campaign.holdout.{name}", why) for name in ("share", "salt")]
    assert put(world, four_eyes=False, campaign={**other, "name": "Another"}) == 3

    running.stop(world.deployment, "spring", actor="mia")
    assert put(world, four_eyes=False) == 4
    engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    with pytest.raises(CampaignInvalid):
        put(world, four_eyes=False, campaign=other)


def test_what_is_decided_again_of_a_finished_run_holds_nothing_up(world):
    rule(world, fallback_zones=["Etc/UTC"], hours=[NIGHT])
    willing(world, 2)
    put(world, four_eyes=False)
    world.clock.set(START.replace(hour=22))
    ran(world, running.start(world.deployment, "spring", **ALONE))
    world.clock.set(START.replace(hour=8) + timedelta(days=1, minutes=1))
    assert again(world) > 0
    assert [each.run for each in chunks(world)][-1] == ""
    assert put(world, four_eyes=False, campaign={"holdout": {"share": 0.2, "salt": "t"}}) == 2
