"""`campaign report` by the holdout, and `campaign compare`: what is printed, for people and for programs."""

from tests.faces.cli.conftest import CUSTOMERS, Shell

HOLDOUT = [
    "together", "version", "outcome", "flag", "share", "addressed", "held_out", "misplaced", "early", "late", "untimed",
    "sample_ratio", "known_ratio", "withheld", "effect", "covariate", "adjusted", "opt_outs", "complaints", "goodwill",
    "goodwill_per_outcome", "target", "reached",
]  # fmt: skip
SIDE = [
    "campaign", "version", "contact_policy", "outcome", "customers", "stages", "chosen", "left_alone", "holdout",
    "ghosts", "company_ghosts", "deferred", "reasons", "quotas", "contacts", "expected_outcomes", "cost",
    "expected_value", "worth", "goodwill", "below_floor", "near_floor",
]  # fmt: skip


def test_a_report_tells_what_the_holdout_says_beside_what_it_told_before(shell: Shell):
    shell("campaign", "run", "spring")
    ran = shell("campaign", "report", "spring", "--json")
    holdout = ran.json["holdout"]

    assert (ran.code, list(ran.json)) == (0, ["key", "version", "runs", "rates", "means", "effects", "holdout"])
    assert list(holdout) == HOLDOUT
    [run] = ran.json["runs"]
    assert holdout["addressed"]["customers"] == sum(run["chosen"].values())
    assert holdout["held_out"]["customers"] == run["ghosts"] <= run["holdout"]
    assert holdout["effect"] == {
        "too_few": {"what": "expected customers in an arm", "had": 0, "needed": 5},
    }
    printed = shell("campaign", "report", "spring")
    assert (printed.code, printed.err) == (0, "")
    assert "by the holdout" in printed.out
    assert "Whom a run holds out and would not have addressed anyway is in neither arm" in printed.out
    assert "too few to judge" in printed.out


def test_a_report_of_a_number_tells_means(shell: Shell):
    file = shell.folder / "campaign.toml"
    text = file.read_text(encoding="utf-8").replace('measure = "visited"', 'measure = "spent"')
    file.write_text(text, encoding="utf-8")
    assert shell("campaign", "publish", "campaign.toml").code == 0
    shell("import", "outcomes", "outcomes.csv", "--mapping", "outcomes_mapping.toml")
    ran = shell("campaign", "report", "spring", "--json")

    assert (ran.code, ran.json["rates"], ran.json["holdout"]["flag"]) == (0, [], False)
    assert {tuple(each) for each in ran.json["means"]} == {("arm", "n", "mean", "lower", "upper")}
    printed = shell("campaign", "report", "spring")
    assert (printed.code, printed.err, "mean spent" in printed.out) == (0, "", True)


def test_all_campaigns_are_judged_together_where_the_company_holds_somebody_out(shell: Shell):
    refused = shell("campaign", "report", "spring", "--together")
    (shell.folder / "rules.toml").write_text('[holdout]\nshare = 0.25\nsalt = "c"\n', encoding="utf-8")
    assert shell("contact-policy", "publish", "rules.toml").code == 0
    shell("campaign", "run", "spring")
    ran, printed = (shell("campaign", "report", "spring", "--together", *more) for more in (["--json"], []))

    assert (refused.code, refused.out, refused.err.count("\n"), "--together" in refused.err) == (2, "", 1, True)
    assert (ran.code, ran.json["holdout"]["together"], ran.json["holdout"]["share"]) == (0, True, 0.25)
    assert (printed.code, "by the company's holdout" in printed.out) == (0, True)
    [run] = ran.json["runs"]
    alone = shell("campaign", "report", "spring", "--json").json["holdout"]
    assert (alone["held_out"]["customers"], ran.json["holdout"]["held_out"]["customers"]) == (
        run["ghosts"], run["company_ghosts"],
    )  # fmt: skip
    again = shell("campaign", "dry-run", "spring")
    told = shell("campaign", "dry-run", "spring", "--json").json
    own, company = told["reasons"]["holdout"], told["reasons"]["company_holdout"]
    assert f"{own} held out by chance: {told['ghosts']} of them would otherwise be addressed" in again.out
    assert f"{company} held out of all campaigns: {told['company_ghosts']} of them" in again.out


def test_a_run_says_how_many_of_those_held_out_are_the_reports_arm(shell: Shell):
    ran = shell("campaign", "run", "spring")
    report = shell("campaign", "report", "spring", "--json").json
    [run], arm = report["runs"], report["holdout"]["held_out"]["customers"]
    assert f"{run['holdout']} held out by chance: {arm} of them would otherwise have been addressed" in ran.out


def test_a_covariate_that_nobody_could_permit_is_refused(shell: Shell):
    ran = shell("campaign", "report", "spring", "--covariate", "purchases_count")
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_a_campaign_is_compared_with_itself_and_under_no_contact_policy(shell: Shell):
    size = shell.size()
    ran = shell("campaign", "compare", "spring@1", "--contact-policy", "0", "--json")

    assert (ran.code, ran.err) == (0, "")
    assert list(ran.json) == ["a", "b", "changed", "moves", "gain", "lose"]
    assert sorted(ran.json["a"]) == sorted(ran.json["b"]) == sorted(SIDE)
    assert sum(move["customers"] for move in ran.json["moves"]) == CUSTOMERS
    assert (ran.json["b"]["contact_policy"], shell.size()) == (0, size)
    printed = shell("campaign", "compare", "spring", "spring@1")
    assert (printed.code, printed.err) == (0, "")
    assert f"0 of {CUSTOMERS:,} customers change." in printed.out


def test_what_a_contact_policy_changes_is_told_before_and_after_it_is_published(shell: Shell):
    (shell.folder / "rules.toml").write_text('[[cap]]\nkey = "week"\nlimit = 2\ndays = 7\n', encoding="utf-8")
    (shell.folder / "fewer.toml").write_text('[[cap]]\nkey = "week"\nlimit = 1\ndays = 7\n', encoding="utf-8")
    first = shell("contact-policy", "diff", "rules.toml", "--json")
    new = {"rule": "company:week", "was": None, "asks": "at most 2 contacts in 7 days"}
    assert (first.code, first.json) == (0, {"before": None, "version": None, "changes": [new]})
    for file in ("rules.toml", "fewer.toml"):
        assert shell("contact-policy", "publish", file).code == 0
    size, fewer = shell.size(), {**new, "was": new["asks"], "asks": "at most 1 contact in 7 days"}
    found = [shell("contact-policy", "diff", *more, "--json").json for more in (
        ["--version", "2"], ["--version", "2", "--before", "0"], ["fewer.toml"], ["rules.toml"],
    )]  # fmt: skip
    back = {**fewer, "was": fewer["asks"], "asks": new["asks"]}
    assert [(each["before"], each["changes"]) for each in found] == [
        (1, [fewer]), (None, [{**fewer, "was": None}]), (2, []), (2, [back]),
    ]  # fmt: skip
    printed = shell("contact-policy", "diff", "fewer.toml")
    assert (printed.out, shell.size()) == ("It asks the same as version 2.\n", size)
    for typed in ([], ["rules.toml", "--version", "1"], ["--version", "3"], ["rules.toml", "--before", "9"]):
        refused = shell("contact-policy", "diff", *typed)
        assert (refused.code, refused.out, refused.err != "") == (2, "", True), typed


def test_what_cannot_be_compared_is_refused_in_one_line(shell: Shell):
    for typed in (["spring", "summer"], ["spring@"], ["spring", "spring@2"], ["spring", "--contact-policy", "7"]):
        ran = shell("campaign", "compare", *typed)
        assert (ran.code in (1, 2), ran.out, ran.err.count("\n")) == (True, "", 1), typed
