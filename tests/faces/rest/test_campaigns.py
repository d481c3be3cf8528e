"""`/api/v1/campaigns`: who lets a campaign happen, and what stands against it."""

import pytest

from api.jobs import campaigns as worker
from api.roles import KeyScope, Role
from consent.base.clock import rfc3339
from personalise.campaigns.reading import parse_campaign
from personalise.life import approving, running
from personalise.runs import dry_run
from personalise.runs import run as runs
from tests.builders import START, toml
from tests.campaigns import fill, ready
from tests.faces.rest.conftest import house_of
from tests.serving import served

PATH = "/api/v1/campaigns/spring"


@pytest.fixture
def house(sqlite_world):
    """Return a house in which a second person is demanded."""
    return house_of(sqlite_world, four_eyes=True)


@pytest.fixture
def app(house):
    return served(house)


@pytest.fixture
def world(sqlite_world):
    """Return a world with a version that Mia published and tried out."""
    fill(sqlite_world, 10)
    put(sqlite_world)
    dry_run.dry_run(sqlite_world.deployment, "spring", actor="mia")
    return sqlite_world


@pytest.fixture
def approver(caller):
    return caller((KeyScope.CAMPAIGNS_RUN,), Role.APPROVER)


@pytest.fixture
def integrator(caller):
    return caller((KeyScope.CAMPAIGNS_RUN,))


def put(world, **changes):
    with world.store.write() as work:
        desk = world.deployment.desk
        read = parse_campaign(toml(ready(**changes)), "toml", desk.catalogues.current(work))
        approving.publish(desk, work, read, actor=world.mia, four_eyes=True, at=world.clock())


def tag(who):
    return who.get(PATH).headers["ETag"]


def do(who, what, body=None, *, of=None):
    return who.call("POST", f"{PATH}:{what}", headers={"If-Match": of or tag(who)}, json=body)


@pytest.mark.usefixtures("world")
def test_a_campaign_is_listed_and_shown_with_its_history(integrator):
    shown = integrator.get(PATH).json
    assert [step["event"] for step in shown.pop("history")] == ["published"]
    assert shown == {
        "campaign": "spring", "version": 1, "state": "draft", "published_at": rfc3339(START), "published_by": "mia",
        "approved_by": None, "live_version": None, "due_at": None, "run": None,
    }  # fmt: skip
    assert integrator.get("/api/v1/campaigns").json == {"data": [shown], "next_cursor": None}
    assert integrator.get("/api/v1/campaigns/autumn").status_code == 404


@pytest.mark.usefixtures("world")
def test_a_campaign_is_checked_approved_started_paused_resumed_and_stopped(approver):
    checked = do(approver, "check").json
    assert (checked["ok"], checked["state"]) == (True, "checked")
    assert [(each["rule"], each["must"]) for each in checked["advice"]] == [
        ("power", False), ("goodwill_priced", False),
    ]  # fmt: skip
    approved = do(approver, "approve").json
    assert (approved["state"], approved["approved_by"].partition("_")[0]) == ("approved", "key:key")
    states = [do(approver, "start").json["state"], *(do(approver, each).json["state"] for each in ("pause", "resume"))]
    assert states == ["running", "paused", "running"]
    stopped = do(approver, "stop", {"reason": "the shop is closed"})
    assert (stopped.status_code, stopped.json["state"], stopped.json["run"]) == (200, "stopped", None)
    last = approver.get(PATH).json["history"][-1]
    assert (last["event"], last["reason"], last["four_eyes"]) == ("stopped", "the shop is closed", True)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("how", ["start", "schedule"])
def test_a_version_that_was_stopped_starts_again_only_where_that_is_said(approver, how):
    for each in ("approve", "start"):
        do(approver, each)
    do(approver, "stop", {"reason": "the shop is closed"})
    when = {"at": rfc3339(START.replace(hour=12))} if how == "schedule" else {}
    for body in (when, {**when, "again": False}):
        refused = do(approver, how, body)
        assert (refused.status_code, refused.json["code"]) == (409, "state_conflict")
        assert "was stopped on" in refused.json["detail"]
        assert '"again": true' in refused.json["detail"]
    assert do(approver, "start", {"again": "yes"}).status_code == 400
    state = {"start": "running", "schedule": "scheduled"}[how]
    assert do(approver, how, {**when, "again": True}).json["state"] == state


def test_a_campaign_starts_when_its_time_has_come(world, house, approver):
    do(approver, "approve")
    due = rfc3339(START.replace(hour=12))
    scheduled = do(approver, "schedule", {"at": due}).json
    assert (scheduled["state"], scheduled["due_at"], scheduled["live_version"]) == ("scheduled", due, 1)
    world.clock.advance(hours=2)
    worker.due(house, "a worker")
    assert approver.get(PATH).json["state"] == "running"
    world.check_ledger()


@pytest.mark.usefixtures("world")
def test_a_time_that_is_over_is_refused(approver):
    do(approver, "approve")
    refused = do(approver, "schedule", {"at": rfc3339(START)})
    assert (refused.status_code, refused.json["code"]) == (422, "request_unfit")
    assert [each["pointer"] for each in refused.json["errors"]] == ["/at"]


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("what", ["check", "approve", "start", "pause", "resume"])
def test_a_change_says_what_was_looked_at(approver, what):
    assert approver.post(f"{PATH}:{what}").status_code == 428
    assert do(approver, what, of='"1-0"').status_code in (409, 412, 404)


def test_a_new_version_moves_the_tag(world, approver):
    seen = tag(approver)
    put(world, campaign={"name": "Spring again"})
    refused = do(approver, "approve", of=seen)
    assert (refused.status_code, refused.json["code"]) == (412, "version_moved")


def test_what_stands_against_an_approval_is_named_place_by_place(sqlite_world, approver):
    put(sqlite_world, campaign={"goodwill_budget": 0})
    refused = do(approver, "approve")
    assert (refused.status_code, refused.json["code"]) == (409, "campaign_unready")
    assert [each["place"] for each in refused.json["errors"]] == ["campaign.goodwill_budget", "dry_run"]


@pytest.mark.usefixtures("world")
def test_a_program_may_start_what_was_approved_and_approve_nothing(integrator, approver):
    assert do(integrator, "approve").status_code == 403
    assert do(integrator, "start").status_code == 409
    do(approver, "approve")
    assert do(integrator, "start").json["state"] == "running"


def test_what_a_finished_run_reserved_is_paused_resumed_and_stopped(world, approver):
    for each in ("check", "approve", "start"):
        do(approver, each)
    with world.store.read() as work:
        run = runs.going(work, "spring")
    assert run is not None
    running.advance(world.deployment, run)
    states = [do(approver, each).json["state"] for each in ("pause", "resume")]
    stopped = do(approver, "stop", {"reason": ""})
    assert (states, stopped.json["state"]) == (["paused", "finished"], "stopped")


def test_live_decisions_are_paused_and_resumed_and_a_stopped_campaign_is_not_found(world, approver):
    do(approver, "approve")
    states = [do(approver, each).json["state"] for each in ("pause", "resume")]
    states.append(do(approver, "stop", {"reason": ""}).json["state"])
    assert (states, do(approver, "pause").status_code) == (["paused", "approved", "stopped"], 404)
    assert world.rows("SELECT id FROM run") == []
