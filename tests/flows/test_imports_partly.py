"""Rule 10, row by row: what a dry run lists, what comes in when some rows are wrong, what happens the second time."""

import json
import stat
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consent.base.clock import rfc3339
from consent.base.errors import ImportInvalid
from consent.catalogue.reading import DEFAULT
from consent.imports import rows
from consent.imports.passes import Options
from consent.imports.statements import CatalogueChanged, bring_in_statements
from consent.imports.weighing import Change
from consent.register import customers, history, wordings
from tests.builders import START, tables, toml
from tests.erasing import suppress
from tests.flows.test_imports import (
    CUSTOMERS,
    HEADER,
    MINE,
    SAID_HEADER,
    STATEMENTS,
    bring,
    days_ago,
    everything,
    known,
    mapped,
    payload,
    said,
    who,
)

EXAMPLES = Path(__file__).parents[2] / "examples" / "imports"
BY_MAIL = STATEMENTS.replace('reference = "id"', '[identities]\nemail = "id"\n#')


def told(world, tmp_path, kind, text, **how):
    """Bring in a file, and return what was made of it and the lines that were told."""
    lines: list[Any] = []
    made = bring(world, tmp_path, kind, text, details=lines.append, **how)
    return made, [json.loads(json.dumps(line)) for line in lines]


# ------------------------------------------------------------------------------------------------------ row by row


def test_rule_10_a_dry_run_of_statements_lists_every_row_and_what_it_would_change(world, tmp_path):
    """Rule 10: a dry run lists what would change, row by row."""
    text = SAID_HEADER + said("BO") + said("ANN", "withdraw", "remember:purchases", ago=0) + said("NEW", evidence="")
    text += said("NEW", "refuse", "remember:purchases") + said("BO", ago=9) + said("ANN", ago=30)
    before = everything(world)
    made, lines = told(world, tmp_path, "statements", text, dry_run=True)
    assert everything(world) == before
    two = ["remember:purchases", "use:purchases:recommendations"]
    assert lines == [
        {
            "line": 2,
            "customer": "known",
            "act": "grant",
            "outcome": "recorded",
            "scopes": dict.fromkeys(two, "permits"),
        },
        {"line": 3, "customer": "known", "act": "withdraw", "outcome": "recorded", "scopes": {two[0]: "ends"}},
        {"line": 4, "customer": "new", "act": "grant", "outcome": "unknown", "why": "gives more, without evidence"},
        {"line": 5, "customer": "new", "act": "refuse", "outcome": "recorded", "scopes": {two[0]: "stays_denied"}},
        {
            "line": 6,
            "customer": "known",
            "act": "grant",
            "outcome": "recorded",
            "scopes": dict.fromkeys(two, "stays_permitted"),
        },
        # An older row never overrides a newer word.
        {
            "line": 7,
            "customer": "known",
            "act": "grant",
            "outcome": "recorded",
            "scopes": {two[0]: "stays_denied", two[1]: "stays_permitted"},
        },
    ]
    assert (made.recorded, made.unknown, sum(made.changes.values())) == (5, 1, 8)


def test_a_dry_run_of_customers_lists_what_would_be_kept_of_each(world, tmp_path):
    text = HEADER + "ANN,,3,49.5,L,\nBO,,3,,,\nNEW,new@shop.example,3,,,\n"
    _, lines = told(world, tmp_path, "customers", text, dry_run=True)
    assert lines == [
        {
            "line": 2,
            "customer": "known",
            "stored": ["purchases_count", "spend_past_year", "last_purchase_category"],
            "refused": [],
        },
        {"line": 3, "customer": "known", "stored": [], "refused": ["purchases_count"]},
        {"line": 4, "customer": "new", "stored": [], "refused": ["purchases_count"]},
    ]


def test_every_wrong_place_is_told_however_many_there_are(sqlite_world, tmp_path):
    text = HEADER + "".join(f"N{number},,x,1,,\n" for number in range(250))
    lines: list[Any] = []
    with pytest.raises(ImportInvalid) as error:
        bring(sqlite_world, tmp_path, "customers", text, details=lines.append)
    assert len(error.value.places) == 101
    assert lines == [
        {"line": number, "column": "count", "wrong": "'x' is not a whole number"} for number in range(2, 252)
    ]


# ------------------------------------------------------------------------------------------------------------ partly


def test_rule_10_nothing_comes_in_halfway_unless_asked(world, tmp_path):
    """Rule 10: nothing is imported halfway unless asked; the rows left out can be corrected and brought in again."""
    text = HEADER + "ANN,,3,49.5,L,\nBO,,many,2,,\nNEW,,4,4,,\nTORN,1\n"
    before = everything(world)
    with pytest.raises(ImportInvalid):
        bring(world, tmp_path, "customers", text)
    assert everything(world) == before
    refused = tmp_path / "refused.csv"
    made = bring(world, tmp_path, "customers", text, partly=True, refused=refused)
    assert (made.rows, made.left_out, made.new, made.stored) == (2, 2, 1, 3)
    assert payload(world, made.seq)["counts"] == {"left_out": 2, "new": 1, "refused": 2, "stored": 3}
    assert payload(world, made.seq)["rows"] == 2
    assert refused.read_text(encoding="utf-8") == HEADER + "BO,,many,2,,\nTORN,1\n"
    assert stat.S_IMODE(refused.stat().st_mode) == 0o600
    corrected = refused.read_text(encoding="utf-8").replace("many", "1").replace("TORN,1", "TORN,,,,,")
    again = bring(world, tmp_path, "customers", corrected)
    assert (again.rows, again.left_out, again.new) == (2, 0, 1)
    assert known(world, "ANN") == [(3, 49.5, "lamps")]
    world.check_ledger()


def test_a_dry_run_may_be_partial_too(world, tmp_path):
    text = SAID_HEADER + said("BO") + said("NEW", "agree") + said("NEW")
    made, lines = told(world, tmp_path, "statements", text, dry_run=True, partly=True)
    assert (made.rows, made.left_out, made.recorded) == (2, 1, 2)
    assert [line.get("outcome") or line["column"] for line in lines] == ["act", "recorded", "recorded"]


def test_rows_that_name_one_customer_twice_are_left_out_but_for_the_first(world, tmp_path):
    text = HEADER + "A,a@x.example,1,1,,\nB,A@X.example,1,1,,\nA,,2,2,,\nC,,1,1,,\n"
    made = bring(world, tmp_path, "customers", text, partly=True)
    assert (made.rows, made.left_out, made.new) == (2, 2, 2)
    assert who(world, "a@x.example", kind="email") == who(world, "A")


def test_a_file_with_no_good_row_is_refused_even_then(sqlite_world, tmp_path):
    before = everything(sqlite_world)
    with pytest.raises(ImportInvalid):
        bring(sqlite_world, tmp_path, "customers", HEADER + "A,,x,1,,\n", partly=True)
    assert everything(sqlite_world) == before


def test_what_makes_a_file_unreadable_refuses_all_of_it(sqlite_world, tmp_path):
    before = everything(sqlite_world)
    for raw in (HEADER + "A,,1,1,,\nB,,1,1,\x00,\n", HEADER + 'A,,1,1,,\nB,,1,1,"L,\n'):
        with pytest.raises(ImportInvalid):
            bring(sqlite_world, tmp_path, "customers", raw, partly=True)
    assert everything(sqlite_world) == before


def test_the_rows_left_out_are_never_written_over_a_file(sqlite_world, tmp_path):
    there = tmp_path / "there.csv"
    there.write_text("mine", encoding="utf-8")
    before = everything(sqlite_world)
    with pytest.raises(ImportInvalid) as error:
        bring(sqlite_world, tmp_path, "customers", HEADER + "A,,x,1,,\nB,,1,1,,\n", partly=True, refused=there)
    assert (error.value.detail, there.read_text(encoding="utf-8")) == (
        "there.csv can't be written: File exists",
        "mine",
    )
    assert everything(sqlite_world) == before


@pytest.mark.parametrize("quoted", [False, True])
def test_rows_left_out_stand_as_they_stood(sqlite_world, tmp_path, quoted):
    bad = ['"A","two\nlines",x,1,,', 'B,"a""b",1,1,X,'] if quoted else ["A,,x,1,,", "B,,1,1,X,"]
    refused = tmp_path / "refused.csv"
    text = HEADER + "\n".join(["GOOD,,1,1,,", *bad]) + "\n"
    made = bring(sqlite_world, tmp_path, "customers", text, partly=True, refused=refused)
    assert (made.left_out, refused.read_text(encoding="utf-8")) == (2, HEADER + "\n".join(bad) + "\n")


def test_records_left_out_of_json_are_written_one_a_line(world, tmp_path):
    raw = (EXAMPLES / "onetrust.json").read_text(encoding="utf-8").replace("2023-03-01T08:00:00", "in March")
    path, refused = tmp_path / "subjects.json", tmp_path / "refused.jsonl"
    path.write_text(raw, encoding="utf-8")
    mapping = (EXAMPLES / "onetrust.toml").read_text(encoding="utf-8")
    made = bring_json(world, path, mapping, partly=True, refused=refused)
    assert (made.left_out, made.recorded) == (1, 2)
    [record] = [json.loads(line) for line in refused.read_text(encoding="utf-8").splitlines()]
    assert record["Identifier"] == "jon@example.com"
    refused.write_text(refused.read_text(encoding="utf-8").replace("in March", "2023-03-01T08:00:00"), encoding="utf-8")
    assert bring_json(world, refused, mapping).recorded == 1
    world.check_ledger()


def bring_json(world, path, mapping, **how):
    """Bring in the statements of a JSON file."""
    read = mapped(world, mapping)
    return bring_in_statements(world.deployment, path, read, Options(actor=world.mia, **how))


# -------------------------------------------------------------------------------------------------- the second time


def test_a_file_that_has_grown_adds_only_what_is_new(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 4)
    text = SAID_HEADER + "".join(said(f"N{number}", ago=number + 1) for number in range(6))
    first = bring(world, tmp_path, "statements", text)
    size = world.size()
    grown = bring(world, tmp_path, "statements", text + said("N0", "withdraw", ago=0) + said("N9"))
    assert (first.recorded, grown.recorded, grown.repeated, grown.new) == (6, 2, 6, 1)
    assert world.size() == size + 2 + 1
    world.check_ledger()


def test_a_file_in_another_order_or_by_somebody_else_adds_nothing(world, tmp_path):
    lines = [said(f"N{number}", ago=number + 1) for number in range(5)] + [said("N0", "object", ago=0)]
    bring(world, tmp_path, "statements", SAID_HEADER + "".join(lines))
    again = bring(world, tmp_path, "statements", SAID_HEADER + "".join(lines[::-1]), actor="cy")
    assert (again.recorded, again.repeated) == (0, 6)


def test_a_row_that_stands_twice_in_a_file_counts_once(world, tmp_path):
    made = bring(world, tmp_path, "statements", SAID_HEADER + said("BO") * 3)
    assert (made.recorded, made.repeated) == (1, 2)
    dry = bring(world, tmp_path, "statements", SAID_HEADER + said("NEW") * 3, dry_run=True)
    assert (dry.recorded, dry.repeated, dry.new) == (1, 2, 1)


def test_the_same_words_said_at_another_time_count_again(world, tmp_path):
    made = bring(world, tmp_path, "statements", SAID_HEADER + said("BO", ago=5) + said("BO", ago=4))
    assert (made.recorded, made.repeated) == (2, 0)


def test_somebody_may_be_known_by_his_address_alone(world, tmp_path):
    text = SAID_HEADER + said("Ann@Shop.example", "object", ago=0) + said("new@shop.example")
    made = bring(world, tmp_path, "statements", text, mapping=BY_MAIL)
    assert (made.customers, made.new) == (2, 1)
    assert world.reason(world.ann, "remember:purchases") == "OBJECTED"
    with world.store.read() as work:
        found = customers.find(world.deployment.desk, work, "new@shop.example", kind="email")
    assert world.reason(found, "remember:purchases") == "PERMIT"
    world.check_ledger()


def test_a_statement_under_somebody_elses_address_is_refused(world, tmp_path):
    mapping = STATEMENTS.replace("[statement]", '[identities]\nemail = "mail"\n[statement]')
    text = SAID_HEADER.replace("id,", "id,mail,") + said("BO").replace("BO,", "BO,ann@shop.example,")
    with pytest.raises(ImportInvalid) as error:
        bring(world, tmp_path, "statements", text, mapping=mapping)
    assert [tuple(place) for place in error.value.places] == [
        ("line 2, column mail", "belongs to another customer than the reference")
    ]


def test_rule_10_a_blank_or_older_row_never_overrides(world, tmp_path):
    """Rule 10: blank or older rows never override."""
    world.withdraw(world.ann, "remember:purchases")
    blank = f"ANN,,,{rfc3339(START - timedelta(hours=1))},paper,en,form 7\n"
    with pytest.raises(ImportInvalid):
        bring(world, tmp_path, "statements", SAID_HEADER + blank)
    bring(world, tmp_path, "statements", SAID_HEADER + blank + said("ANN", scopes=MINE, ago=3), partly=True)
    assert world.reason(world.ann, "remember:purchases") == "WITHDRAWN"
    bring(world, tmp_path, "customers", HEADER + "BO,,3,,,\n", mapping=CUSTOMERS)
    assert world.reason(world.bo, "remember:purchases") == "NO_RECORD"
    world.check_ledger()


# ------------------------------------------------------------------------------------------------- wordings, and ages


def test_rule_10_a_yes_without_the_wording_that_was_shown_is_asked_again(world, tmp_path):
    """Rules 4 and 10: what nobody says was shown wasn't; the newest words never do of themselves."""
    text = SAID_HEADER + said("X")
    silent = STATEMENTS.replace("notice_version = { value = 1 }\n", "")
    dry = bring(world, tmp_path, "statements", text, mapping=silent, dry_run=True)
    made = bring(world, tmp_path, "statements", text, mapping=silent)
    use = "use:purchases:recommendations"
    assert (dry.changes, dry.recorded, made.recorded) == ({Change.STAYS_DENIED: 2}, 1, 1)
    assert world.reason(who(world, "X"), use) == "NOTICE_STALE"
    with world.store.read() as work:
        [kept] = history.of_customer(world.deployment.desk, work, who(world, "X"))
        shown = wordings.shown(world.deployment.desk, work, [kept])
    assert (kept.statement.notices, shown) == (None, {kept.seq: []})

    named = bring(world, tmp_path, "statements", SAID_HEADER + said("X", ago=9))
    assert (named.recorded, world.reason(who(world, "X"), use)) == (1, "PERMIT")
    made_up = bring(world, tmp_path, "statements", SAID_HEADER + said("Y", method="synthetic"), mapping=silent)
    assert (made_up.recorded, world.reason(who(world, "Y"), use)) == (1, "PERMIT")
    world.check_ledger()


@pytest.mark.parametrize(("age", "change", "reason"), [(30, "permits", "PERMIT"), (12, "stays_denied", "MINOR")])
def test_rule_10_a_dry_run_judges_ages_as_the_gate_does(world, tmp_path, age, change, reason):
    """Rules 9 and 10: what a dry run says would be permitted is permitted then."""
    given = tables()
    next(each for each in given["scope"] if each["scope"] == "contact:post:offers")["minimum_age"] = 16
    world.publish(toml(given))
    text = SAID_HEADER.replace("\n", ",age\n") + said("X", scopes="contact:post:offers").replace("\n", f",{age}\n")
    mapping = STATEMENTS + 'age = "age"\n'
    dry = bring(world, tmp_path, "statements", text, mapping=mapping, dry_run=True)
    bring(world, tmp_path, "statements", text, mapping=mapping)
    assert (dry.changes, world.reason(who(world, "X"), "contact:post:offers")) == ({Change(change): 1}, reason)
    world.check_ledger()


WITH_ALL = STATEMENTS.replace('reference = "id"', 'reference = "id"\n[identities]\nemail = "mail"') + 'age = "age"\n'
OFFERS = "use:purchases:offers"
BY_POST = "contact:post:offers"


@pytest.mark.parametrize(
    ("row", "changes"),
    [
        ("ANN,,grant,remember:purchases,form 7,30", {BY_POST: "permits", "remember:purchases": "stays_permitted"}),
        ("ANN,,grant,remember:purchases,form 7,", {"remember:purchases": "stays_permitted"}),
        (f"ANN,,withdraw,{OFFERS},form 7,", {OFFERS: "ends"}),
        ("ANN,,pause,,form 7,", {}),
        ("ANN,,restrict,,form 7,", {}),
        (f"ANN,free@shop.example,grant,{BY_POST},form 7,30", {BY_POST: "stays_denied"}),
        (f"NEW,free@shop.example,grant,{BY_POST} {OFFERS},form 7,30", {BY_POST: "stays_denied", OFFERS: "permits"}),
        (f"LEFT,,grant,{BY_POST},form 7,30", {BY_POST: "stays_denied"}),
    ],
)
def test_rule_10_a_dry_run_says_of_every_scope_what_the_gate_will(world, tmp_path, row, changes):
    """Rules 9, 10 and 11: also of scopes that a row doesn't name, and of whom is left alone."""
    given = tables()
    next(each for each in given["scope"] if each["scope"] == BY_POST)["minimum_age"] = 16
    world.publish(toml(given))
    for address in ("left@shop.example", "free@shop.example"):
        suppress(world, address)
    with world.store.write() as work:
        left = {"reference": "LEFT", "email": "left@shop.example"}
        customers.enrol(world.deployment.desk, work, [left], at=world.clock())
    world.grant(world.ann, "remember:purchases", OFFERS, BY_POST)
    named, mail, act, scopes, evidence, age = row.split(",")
    text = "id,mail,act,scopes,said_at,method,language,evidence,age\n"
    text += f"{named},{mail},{act},{scopes},{days_ago(0)},paper,en,{evidence},{age}\n"

    def permitted():
        with world.store.read() as work:
            [customer] = customers.known(world.deployment.desk, work, [{"reference": named}])
        every = [each["scope"] for each in given["scope"]] if customer else []
        return {scope for scope in every if world.reason(customer, scope) == "PERMIT"}

    before = permitted()
    dry, [line] = told(world, tmp_path, "statements", text, mapping=WITH_ALL, dry_run=True)
    bring(world, tmp_path, "statements", text, mapping=WITH_ALL)
    after = permitted()

    assert line["scopes"].items() >= changes.items()
    assert sum(dry.changes.values()) == len(line["scopes"])
    given_by_him = {scope for scope in after - before if scope in scopes or named != "NEW"}  # the others need no asking
    assert {scope for scope, change in line["scopes"].items() if change == "permits"} == given_by_him
    assert {scope for scope, change in line["scopes"].items() if change == "ends"} == before - after
    assert ("ends" in line["scopes"].values()) == (act != "grant" or (named, mail) == ("ANN", "free@shop.example"))
    world.check_ledger()


def test_rule_6_no_file_brings_in_a_yes_by_a_link_that_can_only_say_no(world, tmp_path):
    with pytest.raises(ImportInvalid) as refused:
        bring(world, tmp_path, "statements", SAID_HEADER + said("BO", method="one_click"))
    assert [(place.where, place.why) for place in refused.value.places] == [
        ("line 2, column method", "a one-click link can only say no")
    ]
    assert bring(world, tmp_path, "statements", SAID_HEADER + said("BO", "withdraw", method="one_click")).recorded == 1


# --------------------------------------------------------------------------------- catalogues that came in between


def without(world, scope):
    """Publish the catalogue in force without a scope."""
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    given = tomllib.loads(body)
    given["scope"] = [each for each in given["scope"] if each["scope"] != scope]
    return world.publish(toml(given))


def test_a_no_to_what_is_no_longer_asked_comes_in(world, tmp_path):
    """Rule 2: it may be asked again; a yes to it is none."""
    mail = "contact:email:recommendations"
    bring(world, tmp_path, "statements", SAID_HEADER + said("X", scopes=mail))
    without(world, mail)
    text = SAID_HEADER + said("X", "withdraw", scopes=mail, ago=5)
    dry = bring(world, tmp_path, "statements", text, dry_run=True)
    made = bring(world, tmp_path, "statements", text)
    with pytest.raises(ImportInvalid) as refused:
        bring(world, tmp_path, "statements", SAID_HEADER + said("X", scopes=mail, ago=4))

    assert (dry.recorded, made.recorded) == (1, 1)
    assert [(place.where, "is not in the catalogue" in place.why) for place in refused.value.places] == [
        ("line 2, column scopes", True)
    ]
    world.publish(DEFAULT.read_text(encoding="utf-8"))
    assert world.reason(who(world, "X"), mail) == "WITHDRAWN"
    world.check_ledger()


def test_a_catalogue_that_comes_into_force_on_the_way_stops_a_file_and_says_how_far_it_came(
    world, tmp_path, monkeypatch
):
    """Rule 10: under another catalogue a row that was checked may be wrong; none is recorded unchecked."""
    monkeypatch.setattr(rows, "CHUNK_ROWS", 4)
    text = SAID_HEADER + "".join(said(f"N{number}", ago=number + 1) for number in range(6))
    before = world.size()

    def publish(done, _total):
        if done == 4:
            without(world, "contact:email:newsletter")

    with pytest.raises(CatalogueChanged, match="4 of 6 rows had come in") as stopped:
        bring(world, tmp_path, "statements", text, progress=publish)
    recorded = [
        one for (one,) in world.rows("SELECT count(*) FROM standing WHERE counter > 0 AND customer <> :a", a=world.ann)
    ]
    again = bring(world, tmp_path, "statements", text)

    assert (stopped.value.code, recorded, world.size() > before) == ("catalogue_changed", [4], True)
    assert (again.recorded, again.repeated) == (2, 4)
    world.check_ledger()
