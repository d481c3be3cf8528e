"""`campaign` and `decide`: what is checked, decided, run and measured."""

import sys
from collections.abc import Callable
from datetime import timedelta

import pytest

from api import engines
from api.cli.frame import caller
from api.settings import read_settings
from api.wiring import open_house
from consent.base.clock import rfc3339, system_clock
from personalise.life import running
from personalise.runs import log
from tests import reference
from tests.databases import Databases
from tests.faces.cli.conftest import CUSTOMERS, SOMEBODY, Shell, make_shop

COUNTS = [
    "customers", "stages", "chosen", "left_alone", "holdout", "ghosts", "company_ghosts", "deferred", "reasons",
    "quotas",
]  # fmt: skip
DRY_RUN = [
    *COUNTS, "campaign", "version", "contact_policy", "outcome", "contacts", "expected_outcomes", "cost",
    "expected_value", "worth", "goodwill", "below_floor", "near_floor", "samples", "seconds",
]  # fmt: skip
RUN = [*COUNTS, "seconds", "run", "state"]
DECISION = [
    "decision", "customer", "campaign", "chosen", "content", "subject", "html", "wording", "instead", "propensity",
    "scorer", "scored_on", "verdicts", "explanation", "categories_used", "position",
]  # fmt: skip
VERDICT = ("candidate", "stage", "rule", "observed", "limit", "allowed_from")


def under_way(shell: Shell) -> str:
    """Open a run and leave it as a killed process would: running, and nobody at it."""
    with shell.house() as house:
        return running.start(house.deployment, "spring", actor=caller().name, four_eyes=False)


def test_a_simulation_says_what_would_be_decided_by_any_version_and_keeps_nothing_but_that_it_looked(shell: Shell):
    before = shell.size()
    asked = ("decision", "simulate", SOMEBODY, "--campaign", "spring@1", "--reason", "he asked why")
    ran = shell(*asked, "--contact-policy", 0, "--json")
    plain = shell(*asked, "--channel", "sms")
    decided = shell("decide", SOMEBODY, "--campaign", "spring", "--json").json

    assert (ran.code, list(ran.json)) == (0, [*DECISION, "version", "contact_policy"])
    assert (ran.json["decision"], ran.json["version"], ran.json["contact_policy"]) == (None, 1, 0)
    assert (ran.json["chosen"], ran.json["verdicts"]) == (decided["chosen"], decided["verdicts"])
    assert plain.out.startswith("By spring@1 under no contact policy it would be:\n")
    assert "outdoor-text" in plain.out
    assert "outdoor-mail" not in plain.out
    assert decided["position"] == before
    with shell.house() as house, house.deployment.store.read() as work:
        looked = work.connection.exec_driver_sql("SELECT reason FROM data_use WHERE reason LIKE 'simulating%'").all()
    assert [reason for (reason,) in looked] == ["simulating spring@1: he asked why"] * 2


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        (("--campaign", "spring@0"), "spring@0: is neither KEY nor KEY@VERSION"),
        (("--campaign", "spring@9"), "No such campaign: 'spring' has no version 9"),
        (("--campaign", "nope"), "No such campaign: 'nope'"),
        (("--campaign", "spring", "--contact-policy", "7"), "version 7"),
        (("--campaign", "spring", "--channel", "pigeon"), "pigeon"),
    ],
)
def test_what_cannot_be_simulated_is_named(shell: Shell, typed: tuple[str, ...], why: str):
    ran = shell("decision", "simulate", SOMEBODY, "--reason", "he asked why", *typed)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


def test_check_says_what_a_campaign_needs(shell: Shell):
    ran = shell("campaign", "check", "campaign.toml", "--json")
    keys = ["key", "objective", "treatments", "categories", "scopes", "ok", "advice"]
    assert (ran.code, list(ran.json), ran.json["ok"]) == (0, keys, True)
    assert ran.json["categories"] == ["interests", "purchases"]


def test_check_names_what_a_model_will_read_once_it_has_learned(shell: Shell):
    text = (shell.folder / "campaign.toml").read_text(encoding="utf-8")
    needs = []
    for scorer in ("rule", "uplift"):
        head = f'[campaign]\nscorer = "{scorer}"\nfeatures = ["visits_past_month"]\n'
        lines = [line for line in text.splitlines() if not line.startswith(("scorer", "features"))]
        (shell.folder / "other.toml").write_text("\n".join(lines).replace("[campaign]\n", head, 1), encoding="utf-8")
        told = shell("campaign", "check", "other.toml", "--json").json
        needs.append((told["categories"], "use:browsing:recommendations" in told["scopes"]))
    assert needs == [(["interests", "purchases"], False), (["browsing", "interests", "purchases"], True)]


def test_a_wrong_campaign_is_refused_with_its_places(shell: Shell):
    text = (shell.folder / "campaign.toml").read_text().replace('channel = "sms"', 'channel = "pigeon"')
    (shell.folder / "wrong.toml").write_text(text)
    for command in ("check", "publish"):
        ran = shell("campaign", command, "wrong.toml")
        assert (ran.code, ran.out, ran.err.count("\n"), "pigeon" in ran.err) == (2, "", 1, True)
    assert [each["version"] for each in shell("campaign", "list", "--json").json["data"]] == [1]


def test_a_wrong_html_mail_is_refused_with_line_and_column(shell: Shell):
    page = "<mjml><mj-body><mj-section><mj-column>\n<mj-text>{}</mj-text></mj-column></mj-section></mj-body></mjml>"
    text = (shell.folder / "campaign.toml").read_text()
    for inner, place in (
        ("<script></script>", "line 2, column 10"),
        ("<b title='{{ main_interest }}'>x</b>", "line 2, column 20"),
    ):
        mail = f'channel = "email"\nmjml = """{page.format(inner)}"""'
        (shell.folder / "wrong.toml").write_text(text.replace('channel = "email"', mail, 1))
        ran = shell("campaign", "check", "wrong.toml")
        assert (ran.code, ran.out, f"treatment[0].mjml, {place}" in ran.err) == (2, "", True)


def test_a_decision_tells_of_its_html_mail(shell: Shell):
    page = "<mjml><mj-body><mj-section><mj-column><mj-text>Ducks</mj-text></mj-column></mj-section></mj-body></mjml>"
    text = (shell.folder / "campaign.toml").read_text()
    (shell.folder / "mail.toml").write_text(text.replace('channel = "email"', f'channel = "email"\nmjml = "{page}"', 1))
    assert shell("campaign", "publish", "mail.toml").code == 0
    made = [shell("decide", f"S{number:06}", "--campaign", "spring", "--json").json for number in range(1, 21)]
    assert [each["chosen"] == "outdoor-mail" for each in made] == ["Ducks" in (each["html"] or "") for each in made]


def test_the_same_file_is_not_published_twice(shell: Shell):
    ran = shell("campaign", "publish", "campaign.toml")
    assert (ran.code, ran.out) == (1, "")


def test_a_dry_run_adds_up_and_keeps_nothing(shell: Shell):
    size = shell.size()
    ran = shell("campaign", "dry-run", "spring", "--json")
    assert (ran.code, ran.err, sorted(ran.json)) == (0, "", sorted(DRY_RUN))
    assert ran.json["customers"] == CUSTOMERS
    assert sum(ran.json["stages"].values()) + sum(ran.json["chosen"].values()) == CUSTOMERS
    assert shell.size() == size


def test_a_dry_run_says_in_words_who_is_lost_and_why(shell: Shell):
    counted = shell("campaign", "dry-run", "spring", "--json").json
    told = shell("campaign", "dry-run", "spring").out
    refused = counted["reasons"]["permission:contact:email:recommendations REFUSED"]
    [line] = [line for line in told.splitlines() if "said no (contact:email:recommendations)" in line]
    words, count, share = line.rsplit(maxsplit=2)
    assert words == "not addressed: said no (contact:email:recommendations)"
    assert (count, share) == (str(refused), f"{refused / CUSTOMERS:.1%}")
    assert f"{sum(counted['chosen'].values())} of {CUSTOMERS} customers would be addressed." in told
    assert [words for words in ("permission:", "eligibility", "holdout") if words in told] == []


def test_a_dry_run_forecasts_what_it_costs_and_shows_samples_only_where_they_are_asked_for(shell: Shell):
    plain = shell("campaign", "dry-run", "spring").out
    counted = shell("campaign", "dry-run", "spring", "--samples", "2", "--json").json
    told = shell("campaign", "dry-run", "spring", "--samples", "2").out

    assert "cost of the offers" in plain
    assert "cus_" not in plain
    assert sum(counted["contacts"].values()) == sum(counted["chosen"].values())
    names = [(end["how"], end["name"]) for end in counted["samples"]]
    assert [name for how, name in names if how == "addressed"] == sorted(
        counted["chosen"], key=lambda key: (-counted["chosen"][key], key)
    )
    shown = [one for end in counted["samples"] for one in end["samples"]]
    assert {len(end["samples"]) <= 2 for end in counted["samples"]} == {True}
    assert {tuple(each) for one in shown for each in one["verdicts"]} == {VERDICT}
    assert [one["customer"] in told and one["explanation"] in told for one in shown] == [True] * len(shown)
    assert shell("campaign", "dry-run", "spring", "--samples", "11").code == 2


def test_a_run_decides_as_its_dry_run_said(shell: Shell):
    foreseen = shell("campaign", "dry-run", "spring", "--json").json
    ran = shell("campaign", "run", "spring", "--json")
    assert (ran.code, ran.err, sorted(ran.json), ran.json["state"]) == (0, "", sorted(RUN), "finished")
    assert {key: ran.json[key] for key in COUNTS} == {key: foreseen[key] for key in COUNTS}
    [listed] = shell("campaign", "list", "--json").json["data"]
    assert (listed["run"]["run"], listed["run"]["state"]) == (ran.json["run"], "finished")
    shell.check_ledger()


def test_a_run_that_was_killed_goes_on(shell: Shell):
    killed = under_way(shell)
    ran = shell("campaign", "run", "spring", "--json")
    assert (ran.code, ran.json["run"], ran.json["state"], ran.json["customers"]) == (0, killed, "finished", CUSTOMERS)
    assert ran.err == f"run {killed} of spring is under way (0 of {CUSTOMERS} done): going on with it\n"


def test_several_processes_on_sqlite_are_refused_before_anything_is_started(shell: Shell):
    ran = shell("campaign", "run", "spring", "--processes", "2")
    assert (ran.code, ran.out, "SQLite lets one writer in at a time" in ran.err) == (2, "", True)
    assert shell("campaign", "list", "--json").json["data"][0]["run"] is None


def test_where_spark_is_not_installed_it_is_said_how_to(shell: Shell, monkeypatch: pytest.MonkeyPatch):
    for absent in ("pyspark", "py4j"):
        monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.delitem(sys.modules, "personalise.runs.spark", raising=False)
    ran = shell("campaign", "run", "spring", "--engine", "spark")
    assert (ran.code, ran.out, "pip install 'byleave[spark]'" in ran.err) == (2, "", True)
    assert shell("campaign", "list", "--json").json["data"][0]["run"] is None


@pytest.mark.postgresql
def test_processes_open_the_deployment_by_the_settings_that_they_are_handed(
    nowhere: Shell, databases: Callable[[str], Databases], monkeypatch: pytest.MonkeyPatch
):
    url = databases("postgresql").empty("handed_settings")
    monkeypatch.setenv("BYLEAVE_DATABASE_URL", url)
    make_shop(nowhere.folder)
    house = open_house(read_settings())
    run = running.start(house.deployment, "spring", actor=caller().name, four_eyes=False)
    ended = running.advance(house.deployment, run, engine=engines.engine(house, count=2), most=25)

    assert (ended.state, ended.done) == ("finished", CUSTOMERS)
    with house.deployment.store.read() as work:
        assert len(log.chunk_ids(work, run)) == CUSTOMERS // 25
        assert reference.faults(work.connection, house.settings.keyring) == []
    house.close()
    databases("postgresql").dropped(url)


def test_a_paused_run_waits_for_resume(shell: Shell):
    run = under_way(shell)
    paused = shell("campaign", "pause", "spring", "--json")
    assert (paused.code, paused.json["run"], paused.json["state"]) == (0, run, "paused")
    assert shell("campaign", "run", "spring").code == 1
    resumed = shell("campaign", "resume", run, "--json")
    assert (resumed.code, resumed.json["run"], resumed.json["state"]) == (0, run, "finished")
    assert [shell("campaign", each, run).code for each in ("pause", "resume", "stop")] == [1, 1, 1]


def test_a_stopped_run_stays_stopped(shell: Shell):
    run = under_way(shell)
    assert shell("campaign", "stop", "spring", "--json").json["state"] == "stopped"
    assert [shell("campaign", "resume", each).code for each in (run, "spring")] == [1, 2]


def test_a_version_that_was_stopped_starts_again_only_where_that_is_said(shell: Shell):
    shell("campaign", "run", "spring")
    told = shell("campaign", "stop", "spring", "--reason", "the shop is closed").out
    assert told.splitlines()[0] == "spring is stopped. No run of it was under way."
    for typed in (("run", "spring"), ("schedule", "spring", "--at", "2999-01-01T00:00:00Z")):
        refused = shell("campaign", *typed)
        assert (refused.code, refused.out) == (1 if typed[0] == "run" else 2, "")
    refused = shell("campaign", "run", "spring")
    assert "version 1 of spring was stopped on " in refused.err
    assert "(the shop is closed): publish a new version, or have this one start again" in refused.err
    assert "byleave campaign run spring --again" in refused.err
    again = shell("campaign", "run", "spring", "--again", "--json")
    assert (again.code, again.json["state"], again.json["customers"]) == (0, "finished", CUSTOMERS)
    assert shell("campaign", "run", "spring", "--json").json["state"] == "finished"  # nothing is stopped any more
    shell.check_ledger()


def test_a_start_that_was_called_off_is_told_as_that_and_no_stop(shell: Shell):
    due = rfc3339(system_clock() + timedelta(hours=1))
    assert shell("campaign", "schedule", "spring", "--at", due).code == 0
    assert shell("campaign", "stop", "spring").out == (
        "The scheduled start of spring is called off. Nothing had been decided by it.\n"
    )
    assert shell("campaign", "run", "spring").code == 0


def test_a_pause_of_a_run_says_how_it_goes_on(shell: Shell):
    run = under_way(shell)
    assert shell("campaign", "pause", "spring").out == (
        f"The run of spring ({run}) is paused: 0 of {CUSTOMERS} customers decided about.\n"
        "Until it goes on nobody is decided about, and nothing that it has reserved is sent: "
        "byleave campaign resume spring\n"
    )
    assert "resume it, or stop it" in shell("campaign", "run", "spring").err


def test_a_report_tells_effects_with_their_intervals(shell: Shell):
    shell("campaign", "run", "spring")
    empty = shell("campaign", "report", "spring", "--json")
    assert (empty.code, empty.json["rates"], empty.json["effects"]) == (0, [], [])
    shell("import", "outcomes", "outcomes.csv", "--mapping", "outcomes_mapping.toml")
    ran = shell("campaign", "report", "spring", "--json")
    assert (ran.code, list(ran.json)) == (0, ["key", "version", "runs", "rates", "means", "effects", "holdout"])
    assert {tuple(each) for each in ran.json["rates"]} == {("arm", "n", "successes", "rate", "lower", "upper")}
    assert {tuple(each) for each in ran.json["effects"]} == {("outcome", "arm", "n", "n_control", "effect", "too_few")}
    assert {each["arm"] for each in ran.json["rates"]} == {"none", "home-mail", "outdoor-mail", "outdoor-text"}
    assert shell("campaign", "report", "spring").code == 0


def test_too_few_outcomes_teach_nothing(shell: Shell):
    ran = shell("campaign", "learn", "spring", "--json")
    assert (ran.code, list(ran.json), ran.json["model"]) == (1, ["key", "model", "rows", "too_few"], None)


@pytest.mark.parametrize("typed", ["dry-run", "run", "report", "learn", "pause", "resume", "stop"])
def test_an_unknown_campaign_is_named(shell: Shell, typed):
    ran = shell("campaign", typed, "autumn")
    assert (ran.code, ran.out, ran.err.count("\n"), "autumn" in ran.err) == (2, "", 1, True)


def test_without_a_run_live_decisions_are_paused_resumed_and_stopped(shell: Shell):
    asked = ("decide", SOMEBODY, "--campaign", "spring")
    assert shell("campaign", "resume", "spring").err == (
        "byleave: Not in this state: version 1 of spring is draft, and can't be resumed\n"
    )
    paused = shell("campaign", "pause", "spring")
    assert paused.code == 0
    assert paused.out == (
        "spring is paused. No run of it was under way.\n"
        "Until it goes on nobody is decided about, and nothing that it has reserved is sent: "
        "byleave campaign resume spring\n"
    )
    assert (shell(*asked).code, shell("campaign", "pause", "spring").code) == (1, 1)
    assert shell("campaign", "resume", "spring", "--json").json == {
        "run": None, "campaign": "spring", "state": "resumed",
    }  # fmt: skip
    assert shell("campaign", "history", "spring", "--json").json["state"] == "draft"
    assert shell(*asked).code == 0
    shell("campaign", "stop", "spring")
    assert shell(*asked).code == 1
    ran = shell("campaign", "pause", "spring")
    nothing = "version 1 of spring was stopped, and nothing of it is under way or waits"
    assert (ran.code, ran.out, ran.err) == (2, "", f"byleave: No such run: {nothing}\n")


def test_what_a_finished_run_reserved_is_paused_resumed_and_stopped(shell: Shell):
    shell("campaign", "run", "spring")
    told = [shell("campaign", each, "spring", "--json") for each in ("pause", "resume", "stop")]
    assert [(each.code, each.json) for each in told] == [
        (0, {"run": None, "campaign": "spring", "state": each}) for each in ("paused", "resumed", "stopped")
    ]
    assert [shell("campaign", each, "spring").code for each in ("pause", "resume", "stop")] == [2, 2, 2]
    assert shell("campaign", "history", "spring", "--json").json["state"] == "stopped"


def test_a_decision_has_a_verdict_for_every_candidate(shell: Shell):
    ran = shell("decide", SOMEBODY, "--campaign", "spring", "--json")
    assert (ran.code, ran.err, list(ran.json)) == (0, "", DECISION)
    assert [each["candidate"] for each in ran.json["verdicts"]] == [
        "outdoor-mail",
        "home-mail",
        "outdoor-text",
        "leave_alone",
    ]
    assert {tuple(each) for each in ran.json["verdicts"]} == {VERDICT}
    texted = shell("decide", SOMEBODY, "--campaign", "spring", "--channel", "sms", "--json")
    assert [each["candidate"] for each in texted.json["verdicts"]] == ["outdoor-text", "leave_alone"]
    shell.check_ledger()


def test_a_decision_for_people_is_a_sentence_first(shell: Shell):
    shell("permission", "record", "NEW", "refuse", "contact:email:recommendations", "--enrol")
    ran = shell("decide", "NEW", "--campaign", "spring", "--channel", "email")
    assert (ran.code, ran.out.partition(": ")[0]) == (0, "leave alone")


@pytest.mark.parametrize(
    "typed",
    [
        ["NOBODY", "--campaign", "spring"],
        [SOMEBODY, "--campaign", "autumn"],
        [SOMEBODY, "--campaign", "spring", "--channel", "pigeon"],
        [SOMEBODY],
    ],
)
def test_a_decision_about_nothing_known_is_refused(shell: Shell, typed):
    size = shell.size()
    ran = shell("decide", *typed)
    assert (ran.code, ran.out, ran.err.count("\n"), shell.size()) == (2, "", 1, size)


def test_runs_are_timed_by_the_clock(shell: Shell):
    began = system_clock()
    ran = shell("campaign", "run", "spring", "--json")
    assert 0 <= ran.json["seconds"] <= (system_clock() - began).total_seconds() + 0.01


# ------------------------------------------------------------------------------------------------------ its life


def test_check_advises_by_heading_and_says_what_binds(shell: Shell):
    text = (shell.folder / "campaign.toml").read_text()
    (shell.folder / "poor.toml").write_text(text.replace("goodwill_budget = 30000", "goodwill_budget = 0"))
    ran = shell("campaign", "check", "poor.toml", "--json")
    assert (ran.code, ran.json["ok"]) == (0, True)
    assert [tuple(each) for each in ran.json["advice"]][:1] == [("heading", "rule", "must", "what", "where", "do")]
    assert [(each["heading"], each["rule"], each["must"]) for each in ran.json["advice"]] == [
        ("Give value for money", "goodwill_budget", False),
        ("Make me feel secure", "dry_run", False),
    ]
    told = shell("campaign", "check", "poor.toml").out
    assert "\nGive value for money\n  should: It doesn't say how much of the customers' goodwill it may spend." in told


def test_where_four_eyes_are_demanded_more_binds(shell: Shell, monkeypatch):
    monkeypatch.setenv("BYLEAVE_FOUR_EYES", "true")
    text = (shell.folder / "campaign.toml").read_text()
    (shell.folder / "poor.toml").write_text(text.replace("goodwill_budget = 30000", "goodwill_budget = 0"))
    ran = shell("campaign", "check", "poor.toml", "--json")
    assert (ran.code, ran.json["ok"]) == (1, False)
    assert [(each["rule"], each["must"]) for each in ran.json["advice"]] == [
        ("goodwill_budget", True),
        ("dry_run", False),
    ]
    assert shell("campaign", "check", "campaign.toml").code == 1  # it is published, and nobody has looked at it
    shell("campaign", "dry-run", "spring")
    assert shell("campaign", "check", "campaign.toml").code == 0
    for typed in (["run", "spring"], ["approve", "spring"]):
        refused = shell("campaign", *typed)
        assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)


def test_what_breaks_a_rule_that_always_binds_is_not_run(shell: Shell):
    text = (shell.folder / "campaign.toml").read_text()
    (shell.folder / "blank.toml").write_text(text.replace('benefit = "You hear', 'benefit = "TBD" # "You hear'))
    assert shell("campaign", "publish", "blank.toml").code == 0
    refused = shell("campaign", "run", "spring")
    assert (refused.code, refused.out, "campaign.benefit" in refused.err) == (1, "", True)


def test_a_campaign_is_approved_scheduled_cancelled_and_its_history_told(shell: Shell):
    approved = shell("campaign", "approve", "spring", "--version", "1", "--json")
    assert (approved.code, approved.json["state"], approved.json["version"]) == (0, "approved", 1)
    assert shell("campaign", "approve", "spring").code == 1
    assert shell("campaign", "schedule", "spring", "--at", "2020-01-01T00:00:00Z").code == 2
    due = f"{system_clock() + timedelta(days=1):%Y-%m-%dT%H:%M}:00Z"
    scheduled = shell("campaign", "schedule", "spring", "--at", due, "--json")
    assert (scheduled.code, scheduled.json["state"], scheduled.json["due_at"][:16]) == (0, "scheduled", due[:16])
    stopped = shell("campaign", "stop", "spring", "--reason", "the shop is closed", "--json")
    assert (stopped.code, stopped.json) == (0, {"run": None, "campaign": "spring", "state": "stopped"})
    told = shell("campaign", "history", "spring", "--json").json
    assert [each["event"] for each in told["history"]] == ["published", "approved", "scheduled", "stopped"]
    assert (told["state"], told["history"][-1]["reason"]) == ("stopped", "the shop is closed")
    assert "the shop is closed" in shell("campaign", "history", "spring").out
    shell.check_ledger()


def test_a_version_that_nobody_looked_at_is_not_approved(shell: Shell):
    refused = shell("campaign", "approve", "spring", "--version", "2")
    assert (refused.code, refused.out) == (1, "")


def test_who_is_held_back_for_now_is_shown_and_can_be_dropped(shell: Shell):
    none = shell("campaign", "deferred", "spring", "--json")
    states = ("waiting", "decided", "superseded", "expired", "stopped", "lapsed")
    assert (none.code, none.json) == (0, {"key": "spring", **dict.fromkeys(states, 0), "rules": []})
    assert "Nobody waits." in shell("campaign", "deferred", "spring").out
    dropped = shell("campaign", "drop-deferred", "spring", "--json")
    assert (dropped.code, dropped.json) == (0, {"key": "spring", "dropped": 0})
    assert [shell("campaign", command, "nothing").code for command in ("deferred", "drop-deferred")] == [2, 2]
