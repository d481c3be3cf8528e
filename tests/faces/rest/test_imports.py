"""Rows of a file, looked at and brought in over HTTP."""

import pytest

PATH = "/api/v1/imports"
SCOPE = "contact:email:newsletter"
MAPPING = """
reference = "id"
[statement]
act = "act"
scopes = { value = "contact:email:newsletter" }
said_at = "at"
evidence = { text = "form {form}" }
notice_version = { value = 1 }
"""
FACTS = 'reference = "id"\n[attributes]\npurchases_count = "count"\n'


COLUMNS = ["id", "act", "at", "form"]


def row(who, act="grant", at="2026-11-20T10:00:00Z", form="7"):
    return [who, act, at, form]


def asked(*rows, **more):
    return {"what": "statements", "mapping": MAPPING, "columns": COLUMNS, "rows": list(rows), **more}


def test_rows_are_only_looked_at_unless_asked(shop, stored):
    before = stored()
    answer = shop.post(PATH, asked(row("BO"), row("NEW", form=""), row("ANN", "withdraw", "2026-11-19T10:00:00Z")))

    assert (answer.status_code, stored()) == (200, before)
    assert answer.get_json() == {
        "dry_run": True, "rows": 3, "customers": 3, "new": 1, "left_out": 0,
        "recorded": 2, "repeated": 0, "unknown": 1, "silent": 0,
        "details": [
            {"row": 1, "outcome": "recorded", "customer": "known", "act": "grant",
             "scopes": [{"scope": SCOPE, "change": "permits"}]},
            {"row": 2, "outcome": "unknown", "customer": "new", "act": "grant",
             "detail": "gives more, without evidence"},
            {"row": 3, "outcome": "recorded", "customer": "known", "act": "withdraw",
             "scopes": [{"scope": SCOPE, "change": "stays_permitted"}]},
        ],
    }  # fmt: skip


def test_rows_come_in_once(shop, sqlite_world):
    size = sqlite_world.size()
    first = shop.post(PATH, asked(row("BO"), row("NEW"), dry_run=False)).get_json()
    again = shop.post(PATH, asked(row("BO"), row("NEW"), dry_run=False)).get_json()

    assert [(each["recorded"], each["repeated"], each["new"]) for each in (first, again)] == [(2, 0, 1), (0, 2, 0)]
    assert (first["seq"], sqlite_world.size()) == (size + 2, size + 4)
    assert sqlite_world.reason(sqlite_world.bo, SCOPE) == "PERMIT"
    sqlite_world.check_ledger()


def test_facts_come_in_as_far_as_they_are_allowed(shop):
    rows = [["ANN", "3"], ["BO", "4"]]
    body = {"what": "customers", "mapping": FACTS, "columns": ["id", "count"], "rows": rows}
    looked = shop.post(PATH, body).get_json()
    made = shop.post(PATH, {**body, "dry_run": False}).get_json()

    assert [(each["stored"], each["refused"]) for each in (looked, made)] == [(1, 1), (1, 1)]
    assert looked["details"] == [
        {"row": 1, "outcome": "kept", "customer": "known", "stored": ["purchases_count"], "refused": []},
        {"row": 2, "outcome": "kept", "customer": "known", "stored": [], "refused": ["purchases_count"]},
    ]


def test_a_wrong_row_refuses_all_of_them_unless_asked(shop, stored):
    before = stored()
    rows = row("BO"), row("NEW", "agree")
    refused = shop.post(PATH, asked(*rows, dry_run=False))

    assert (refused.status_code, refused.get_json()["code"]) == (422, "import_invalid")
    [place] = refused.get_json()["errors"]
    assert place["place"] == "row 2, column act"
    assert stored() == before

    partly = shop.post(PATH, asked(*rows, dry_run=False, partly=True)).get_json()
    assert (partly["recorded"], partly["left_out"]) == (1, 1)
    [left] = partly["details"]
    assert (left["row"], left["outcome"], left["column"]) == (2, "left_out", "act")


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rows": []}, "/rows"),
        ({"rows": [[]]}, "/rows/0"),
        ({"rows": [["BO", "grant", 7, "x"]]}, "/rows/0/2"),
        ({"rows": [{"id": "BO"}]}, "/rows/0"),
        ({"rows": [["BO", "grant", "x" * 10_001, "x"]]}, "/rows/0/2"),
        ({"columns": ["id", "act", "at", ""]}, "/columns/3"),
        ({"what": "outcomes"}, "/what"),
        ({"mapping": ""}, "/mapping"),
        ({"dry_run": "no"}, "/dry_run"),
        ({"more": 1}, "/more"),
    ],
)
def test_a_wrong_form_is_pointed_at(shop, stored, change, pointer):
    before = stored()
    answer = shop.post(PATH, {**asked(row("BO")), **change})
    assert (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]]) == (400, [pointer])
    assert stored() == before


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"rows": [["BO", "grant"]]}, "/rows/0"),
        ({"columns": ["id", "act", "at", "at"]}, "/columns"),
    ],
)
def test_rows_that_fit_no_columns_are_right_in_form_and_pointed_at(shop, stored, change, pointer):
    before = stored()
    answer = shop.post(PATH, {**asked(row("BO")), **change})
    assert (answer.status_code, [each["pointer"] for each in answer.get_json()["errors"]]) == (422, [pointer])
    assert stored() == before


@pytest.mark.parametrize(
    "change",
    [
        {"mapping": "not toml"},
        {"mapping": 'reference = "id"\n[statement]\nact = "act"'},
        {"mapping": MAPPING.replace("newsletter", "letters")},
        {"mapping": 'format = "listmonk"\n' + MAPPING},
        {"columns": ["id", "act", "at", "number"]},
        {"columns": ["who", "act", "at", "form"]},
        {"rows": [row("A", at="soon")]},
    ],
)
def test_what_can_not_be_brought_in_is_named(shop, stored, change):
    before = stored()
    answer = shop.post(PATH, {**asked(row("BO")), "dry_run": False, **change})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "import_invalid")
    assert stored() == before
