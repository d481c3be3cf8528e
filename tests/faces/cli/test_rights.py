"""`customer export|file|correct|forget` and `request`: what customers are given, asked for, and answered."""

import json
import stat

from consent.base.clock import system_clock
from tests.faces.cli.conftest import SOMEBODY, Shell

FACT = "main_interest"


def remembered(shell: Shell, who=SOMEBODY) -> dict[str, object]:
    document = shell("customer", "export", who, "--json").json
    return {fact["name"]: fact["value"] for each in document["remembered"] for fact in each["facts"]}


def opened(shell: Shell, kind="access", *more):
    return shell("request", "open", SOMEBODY, kind, *more, "--json")


def uses(shell: Shell):
    with shell.house() as house, house.deployment.store.engines.read.connect() as connection:
        query = "SELECT actor, purpose, reason, noted >= 0 FROM data_use ORDER BY at, id"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


# --------------------------------------------------------------------------------------------------- export and file


def test_export_prints_one_document(shell: Shell):
    ran = shell("customer", "export", SOMEBODY, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert list(ran.json)[:8] == [
        "format", "export", "made_at", "position", "catalogue", "controller", "rights", "customer",
    ]  # fmt: skip
    assert len(ran.json["statements"]) > 0
    [(actor, purpose, reason, noted)] = uses(shell)
    assert (actor.partition(":")[0], purpose, reason, noted) == ("shell", "right:export", "asked for at the shell", 1)
    shell.check_ledger()


def test_export_in_json_ld(shell: Shell):
    ran = shell("customer", "export", SOMEBODY, "--format", "jsonld", "--reason", "his letter of Monday")
    assert (ran.code, json.loads(ran.out)["@type"]) == (0, ["dpv:RightExerciseRecord", "eu-gdpr:SARNotice"])
    assert [use[2] for use in uses(shell)] == ["his letter of Monday"]


def test_export_to_a_file_that_only_its_owner_reads(shell: Shell):
    ran = shell("customer", "export", SOMEBODY, "--out", "ann.json", "--json")
    assert (ran.code, list(ran.json)) == (0, ["customer", "export", "position", "file"])
    made = shell.folder / "ann.json"
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    assert json.loads(made.read_text())["export"] == ran.json["export"]
    again = shell("customer", "export", SOMEBODY, "--out", "ann.json")
    assert (again.code, again.out, again.err.count("\n")) == (1, "", 1)


def test_nobody_unknown_is_exported(shell: Shell):
    size = shell.size()
    for what in ("export", "file"):
        ran = shell("customer", what, "NOBODY", "--json")
        assert (ran.code, ran.out) == (2, "")
    assert (shell.size(), uses(shell)) == (size, [])


def test_file_tells_what_stood_at_a_date(shell: Shell):
    before = system_clock()
    shell("permission", "record", SOMEBODY, "withdraw", "contact:email:recommendations")
    now = shell("customer", "file", SOMEBODY, "--json")
    then = shell("customer", "file", SOMEBODY, "--as-of", before.isoformat(), "--json")
    assert (now.code, then.code) == (0, 0)
    assert list(now.json) == [
        "customer", "as_of", "position", "catalogue", "catalogue_position", "enrolled_at", "states", "look",
        "permissions", "statements", "notices", "decisions", "contacts", "outcomes", "goodwill",
        "commitments", "wishes", "uses", "requests", "kept", "identities", "households",
    ]  # fmt: skip
    assert len(now.json["statements"]) == len(then.json["statements"]) + 1
    by_scope = [{each["scope"]: each for each in ran.json["permissions"]} for ran in (then, now)]
    [was, stands] = [each["contact:email:recommendations"] for each in by_scope]
    assert (stands["reason"], stands["positions"]) == ("WITHDRAWN", [now.json["statements"][-1]["position"]])
    assert was != stands
    assert [use[1] for use in uses(shell)] == ["right:file", "right:file"]


def test_file_for_people_and_of_the_future(shell: Shell):
    ran = shell("customer", "file", SOMEBODY)
    assert (ran.code, "permissions (" in ran.out, "statements (" in ran.out) == (0, True, True)
    assert shell("customer", "file", SOMEBODY, "--as-of", "2126-01-01T00:00:00Z").code == 2


# -------------------------------------------------------------------------------------------------- correct, forget


def test_correct_and_forget(shell: Shell):
    before = remembered(shell)
    assert FACT in before
    ran = shell("customer", "correct", SOMEBODY, f"{FACT}=roses", "--reason", "she rang", "--json")
    assert (ran.code, ran.json["attributes"], ran.json["position"]) == (0, [FACT], shell.size() - 1)
    assert remembered(shell) == {**before, FACT: "roses"}
    assert shell("customer", "forget", SOMEBODY, FACT, "--json").json["attributes"] == [FACT]
    assert remembered(shell) == {name: value for name, value in before.items() if name != FACT}
    shell.check_ledger()


def test_what_cannot_be_corrected_is_said_by_name(shell: Shell):
    for wrong in ("shoe_size=43", FACT, "visits_past_month=3"):
        ran = shell("customer", "correct", SOMEBODY, wrong)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert shell("customer", "correct", SOMEBODY, "purchases_count=1.9").err.endswith("must be a whole number\n")
    assert shell("customer", "forget", SOMEBODY, "shoe_size").code == 2


# ---------------------------------------------------------------------------------------------------------- requests


def test_a_request_from_its_receipt_to_its_answer(shell: Shell):
    ran = opened(shell, "access", "--how", "letter", "--received-at", "2026-01-31T09:00:00Z", "--wish", "all of it")
    assert (ran.code, ran.json["due_at"], ran.json["overdue"]) == (0, "2026-02-28T09:00:00.000Z", True)
    request = ran.json["request"]
    assert shell("request", "assign", request, "staff:anna", "--json").json["owner"] == "staff:anna"
    late = shell("request", "extend", request, "--reason", "forty letters")
    assert (late.code, "within the first month" in late.err) == (1, True)
    undone = shell("request", "close", request, "fulfilled")
    assert (undone.code, "export it first" in undone.err) == (1, True)
    shell("customer", "export", SOMEBODY, "--out", "given.json")
    done = shell("request", "close", request, "fulfilled", "--answer", "Here it is.", "--json").json
    assert (done["state"], done["outcome"], done["overdue"]) == ("closed", "fulfilled", False)
    shown = shell("request", "show", request, "--json").json
    assert [(step["event"], step["detail"]) for step in shown["steps"]] == [
        ("received", "letter"), ("assigned", "staff:anna"), ("closed", "fulfilled"),
    ]  # fmt: skip
    assert shown["answer"] == "Here it is."
    assert "all of it" not in shell("request", "show", request).out
    shell.check_ledger()


def test_a_request_is_extended_for_a_reason(shell: Shell):
    request = opened(shell).json["request"]
    longer = shell("request", "extend", request, "--reason", "forty letters", "--json")
    assert (longer.code, longer.json["extended_at"] is not None) == (0, True)
    assert shell("request", "show", request, "--json").json["extended_because"] == "forty letters"
    assert shell("request", "extend", request, "--reason", "more").code == 1


def test_requests_are_shown_as_they_stood_at_a_past_time(shell: Shell):
    """Rule 16."""
    request = opened(shell).json["request"]
    one, every = shell("request", "show", request, "--json").json, shell("request", "list", "--json").json
    at = one["steps"][-1]["at"]
    shell("request", "assign", request, "staff:anna")
    shell("request", "close", request, "refused", "--answer", "It was asked twice.")
    then = shell("request", "show", request, "--as-of", at, "--json").json
    listed = shell("request", "list", "--as-of", at, "--open", "--json").json

    for each in (then, one, *listed["data"], *every["data"]):
        del each["days_left"]  # of that very instant
    assert (then, listed["data"], listed["open"]) == (one, every["data"], 1)
    assert shell("request", "list", "--open", "--json").json["data"] == []
    early = shell("request", "show", request, "--as-of", "2020-01-01T00:00:00Z")
    assert (early.code, request in early.err) == (2, True)
    assert shell("request", "list", "--as-of", "2999-01-01T00:00:00Z").code == 2


def test_requests_are_listed_by_deadline(shell: Shell):
    late = opened(shell, "erasure", "--received-at", "2026-01-31T09:00:00Z").json["request"]
    other = opened(shell, "objection").json["request"]
    listed = shell("request", "list", "--json").json
    assert ([each["request"] for each in listed["data"]], listed["open"], listed["overdue"]) == ([late, other], 2, 1)
    assert listed["next_cursor"] is None
    first = shell("request", "list", "--limit", 1, "--json").json
    second = shell("request", "list", "--limit", 1, "--cursor", first["next_cursor"], "--json").json
    assert [each["request"] for page in (first, second) for each in page["data"]] == [late, other]
    for filters in (["--overdue"], ["--kind", "erasure"]):
        assert [each["request"] for each in shell("request", "list", *filters, "--json").json["data"]] == [late]
    assert shell("request", "list", "--customer", "S000002", "--json").json["data"] == []
    table = shell("request", "list")
    assert ("OVERDUE" in table.out, table.err) == (True, "2 open, 1 of them overdue\n")


def test_the_same_key_opens_a_request_once(shell: Shell):
    first, again = (opened(shell, "access", "--idempotency-key", "k").json for _ in range(2))
    assert (first["request"], first["due_at"]) == (again["request"], again["due_at"])
    assert opened(shell, "erasure", "--idempotency-key", "k").code == 1


def test_a_request_is_named_by_its_customer_where_he_has_one_that_is_open(shell: Shell):
    request = opened(shell).json["request"]
    assert shell("request", "assign", SOMEBODY, "staff:anna", "--json").json["request"] == request
    opened(shell, "objection")
    ran = shell("request", "show", SOMEBODY)
    assert (ran.code, "has 2 open requests" in ran.err) == (1, True)
    assert shell("request", "show", "S000002").code == 1


def test_an_unknown_request_is_not_found(shell: Shell):
    unknown = "rgt_" + "0" * 32
    for typed in (["show", unknown], ["show", "NOBODY"], ["assign", unknown, "a"], ["close", unknown, "withdrawn"]):
        ran = shell("request", *typed)
        assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_a_refusal_needs_its_reasons(shell: Shell):
    request = opened(shell).json["request"]
    assert shell("request", "close", request, "refused").code == 2
    assert shell("request", "close", request, "refused", "--answer", "We hold nothing of you.").code == 0
