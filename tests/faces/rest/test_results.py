"""What a campaign would do, what another policy would, what came of it: the same as the command line tells."""

import pytest

from api.roles import KeyScope, Role
from personalise import learning
from personalise.results import judging
from personalise.runs import run as runs
from tests.campaigns import fill, open_run, publish
from tests.flows.test_contact_policy import rule

PATH = "/api/v1/campaigns/spring"


@pytest.fixture(autouse=True)
def world(sqlite_world):
    """Return a world with thirty customers and a campaign."""
    fill(sqlite_world, 30)
    publish(sqlite_world)
    return sqlite_world


def uses_by_keys(world):
    return {reason for (reason,) in world.rows("SELECT reason FROM data_use WHERE actor LIKE 'key:%'")}


def listed(told):
    return {each["name"]: each["customers"] for each in told}


def test_a_dry_run_counts_everybody_once_and_keeps_no_contact(world, caller):
    answer = caller().post(f"{PATH}:dry-run")
    told = answer.get_json()
    assert (answer.status_code, told["campaign"], told["customers"]) == (200, "spring", 32)
    gone = sum(listed(told["stages"]).values())
    assert sum(listed(told["chosen"]).values()) + gone == 32
    assert sum(listed(told["reasons"]).values()) == gone
    assert (listed(told["stages"])["holdout"], listed(told["stages"])["arbitration"]) == (
        told["holdout"], told["left_alone"],
    )  # fmt: skip
    assert world.rows("SELECT count(*) FROM contact") == [(0,)]


def test_a_dry_run_tells_cost_and_goodwill_and_samples_where_they_are_asked_for(world, caller):
    rule(world, goodwill={"opening": 10, "floor": 5, "prices": {"email": 3}})
    told = caller().post(f"{PATH}:dry-run", {"samples": 2}).get_json()
    by = {key: 3 * count for key, count in listed(told["contacts"]).items() if key == "email"}

    assert (told["version"], told["contact_policy"], told["goodwill"]) == (1, 1, sum(by.values()))
    assert (told["below_floor"], told["near_floor"]) == (0, listed(told["contacts"])["email"])
    assert caller().post(f"{PATH}:dry-run", {"samples": 11}).status_code == 400
    assert caller().post(f"{PATH}:dry-run").get_json()["samples"] == []
    ends = {(end["how"], end["name"]): end for end in told["samples"]}
    assert ends["addressed", "mail"]["customers"] == listed(told["chosen"])["mail"]
    assert len(ends["addressed", "mail"]["samples"]) == 2


@pytest.mark.parametrize(
    ("scopes", "role", "named"),
    [
        ((KeyScope.CAMPAIGNS_RUN,), Role.MARKETER, False),
        ((KeyScope.CAMPAIGNS_RUN,), Role.INTEGRATOR, False),
        ((KeyScope.CAMPAIGNS_RUN, KeyScope.DECISIONS_WRITE), Role.INTEGRATOR, True),
    ],
)
def test_samples_name_their_customers_only_to_who_may_show_decisions(caller, scopes, role, named):
    told = caller(scopes, role).post(f"{PATH}:dry-run", {"samples": 1}).get_json()
    shown = [one for end in told["samples"] for one in end["samples"]]

    assert {one["customer"] is not None for one in shown} == {named}
    assert ("cus_" in str(told)) == named


def test_two_policies_are_compared_over_the_same_customers(world, caller):
    publish(world, campaign={"audience": "months_since_purchase <= 6"})
    asked = {"a": {"campaign": "spring", "version": 1}, "b": {"campaign": "spring", "contact_policy": 0}}
    answer = caller().post("/api/v1/campaigns:compare", asked)
    told = answer.get_json()
    assert answer.status_code == 200
    assert [(told[side]["version"], told[side]["contact_policy"], told[side]["customers"]) for side in "ab"] == [
        (1, 0, 32), (2, 0, 32),
    ]  # fmt: skip
    assert sum(move["customers"] for move in told["moves"]) == 32
    changed = [move for move in told["moves"] if move["from"] != move["to"]]
    assert told["changed"] == sum(move["customers"] for move in changed)
    assert (told["gain"]["customers"], told["a"]["goodwill"]) == (0, None)
    assert world.rows("SELECT count(*) FROM contact") == [(0,)]


def test_results_are_what_the_use_cases_find_and_reading_outcomes_is_written_down(world, caller):
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="staff:mia"))
    who = caller((KeyScope.RESULTS_READ,), Role.MARKETER)
    answer = who.post(f"{PATH}:measure", {})
    told = answer.get_json()
    assert answer.status_code == 200
    assert uses_by_keys(world) == {"measuring the effects of spring", "measuring spring by its holdout"}
    found = judging.results(world.deployment, "spring", actor="mia").as_json()
    assert told["holdout"] == found
    assert {"campaign": "spring", **learning.effects(world.deployment, "spring", actor="mia").as_json()} == {
        name: told[name] for name in ("campaign", "rates", "means", "effects")
    }


def test_a_covariate_that_nobody_could_permit_is_refused_with_its_place(caller):
    answer = caller().post(f"{PATH}:measure", {"covariate": "purchases_count"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "request_unfit")
    assert [place["pointer"] for place in answer.get_json()["errors"]] == ["/covariate"]


def test_all_campaigns_are_measured_together_where_the_company_holds_somebody_out(world, caller):
    refused = caller().post(f"{PATH}:measure", {"together": True})
    rule(world, holdout={"share": 0.25, "salt": "c"})
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="staff:mia"))
    answer = caller().post(f"{PATH}:measure", {"together": True})
    found = judging.results(world.deployment, "spring", actor="mia", together=True).as_json()

    assert (refused.status_code, [each["pointer"] for each in refused.get_json()["errors"]]) == (422, ["/together"])
    assert (answer.status_code, answer.get_json()["holdout"]) == (200, found)
    assert (found["together"], found["share"]) == (True, 0.25)


@pytest.mark.parametrize("path", ["/api/v1/campaigns/summer:dry-run", "/api/v1/campaigns/summer:measure"])
def test_a_campaign_that_is_not_there_is_not_found(caller, path):
    answer = caller().post(path, {} if path.endswith("measure") else None)
    assert (answer.status_code, answer.get_json()["code"]) == (404, "campaign_unknown")


def test_results_have_a_right_of_their_own(caller):
    running, reading = caller((KeyScope.CAMPAIGNS_RUN,)), caller((KeyScope.RESULTS_READ,))
    assert [who.post(f"{PATH}:measure", {}).status_code for who in (running, reading)] == [403, 200]
    assert [who.post(f"{PATH}:dry-run").status_code for who in (running, reading)] == [200, 403]
