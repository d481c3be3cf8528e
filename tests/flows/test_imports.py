"""Files come in: whole or not at all, and nothing of anybody that he doesn't allow."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.base.canonical import b64u_bytes
from consent.base.clock import rfc3339
from consent.base.errors import ImportInvalid
from consent.imports import rows, weighing
from consent.imports.customers import bring_in_customers
from consent.imports.mapping import parse_mapping
from consent.imports.outcomes import Brought, bring_in_outcomes
from consent.imports.passes import Options
from consent.imports.statements import bring_in_statements
from consent.permission.statement import Act
from consent.register import customers
from consent.tables import CustomerRow
from tests import reference
from tests.builders import START

MINE = "remember:purchases use:purchases:recommendations"
CUSTOMERS = """
format = "csv"
reference = "id"
ignore = ["note"]
[identities]
email = "mail"
[attributes]
purchases_count = "count"
spend_past_year = "spend"
last_purchase_category = { column = "item", values = { "L" = "lamps", "C" = "chairs" } }
"""
STATEMENTS = """
format = "csv"
reference = "id"
[statement]
act = "act"
scopes = { column = "scopes", separator = " " }
said_at = "said_at"
method = "method"
language = "language"
evidence = "evidence"
notice_version = { value = 1 }
"""
OUTCOMES = """
format = "csv"
reference = "id"
[outcomes]
treatment = { column = "arm", values = { "M" = "mail", "N" = "none" } }
visited = { column = "visit", values = { "0" = false, "1" = true } }
spent = "spent"
"""
HEADER = "id,mail,count,spend,item,note\n"
SAID_HEADER = "id,act,scopes,said_at,method,language,evidence\n"
ATTRIBUTES = ("purchases_count", "spend_past_year", "last_purchase_category")


def days_ago(days):
    return rfc3339(START - timedelta(days=days))


def said(who, act="grant", scopes=MINE, *, ago=10, method="paper", evidence="form 7"):
    return f"{who},{act},{scopes},{days_ago(ago)},{method},en,{evidence}\n"


def bring(world, tmp_path, kind, text, **how):
    """Bring in a file of customers, statements or outcomes; `how` are `Options`, and `stored`."""
    uses: dict[str, tuple[Callable[..., Any], str]] = {
        "customers": (bring_in_customers, CUSTOMERS),
        "statements": (bring_in_statements, STATEMENTS),
        "outcomes": (bring_in_outcomes, OUTCOMES),
    }
    bring_in, mapping = uses[kind]
    path = tmp_path / f"{kind}.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    more = {"stored": how.pop("stored")} if "stored" in how else {}
    mapping = how.pop("mapping", mapping)
    return bring_in(world.deployment, path, mapped(world, mapping), Options(**{"actor": world.mia, **how}), **more)


def mapped(world, text):
    """Read a mapping against the catalogue in force."""
    with world.store.read() as work:
        return parse_mapping(text, world.deployment.desk.catalogues.current(work))


def refused(world, tmp_path, kind, text, **how):
    """Bring in a wrong file: nothing is stored, and this is why."""
    before = everything(world)
    with pytest.raises(ImportInvalid) as error:
        bring(world, tmp_path, kind, text, **how)
    assert everything(world) == before
    return [f"{place.where}: {place.why}" for place in error.value.places] or [error.value.detail]


def everything(world):
    """How many rows each table has."""
    return {name: world.rows(f"SELECT count(*) FROM {name}") for name in CustomerRow.metadata.tables}  # noqa: S608 -- our own tables


def who(world, name, kind="reference"):
    with world.store.read() as work:
        return customers.find(world.deployment.desk, work, name, kind=kind)


def known(world, *names):
    """What may be recalled of customers for recommendations, as tuples of `ATTRIBUTES`."""
    found = world.recall([who(world, name) for name in names], ATTRIBUTES, purpose="recommendations")
    return [tuple(row.values()) for row in found]


def payload(world, seq):
    """Open the payload of an entry of the deployment's own."""
    [(sealed, kek, wrapped)] = world.rows(
        "SELECT p.sealed, k.kek, k.wrapped FROM ledger_payload p JOIN data_key k ON k.owner = p.owner "
        "WHERE p.seq = :seq",
        seq=seq,
    )
    keys = json.loads(world.keyring.read_text())
    return json.loads(reference.opened(keys, "log", sealed, (kek, wrapped))[32:])


def test_facts_come_in_only_where_their_customer_allows_it(world, tmp_path):
    bring(world, tmp_path, "statements", SAID_HEADER + said("YES") + said("NO", "refuse"))
    made = bring(world, tmp_path, "customers", HEADER + "YES,,3,49.5,L,x\nNO,,3,49.5,L,x\nNEW,,3,49.5,L,x\n")
    assert (made.customers, made.new, made.stored, made.refused) == (3, 1, 3, 6)
    assert known(world, "YES", "NO", "NEW") == [(3, 49.5, "lamps"), (None, None, None), (None, None, None)]
    assert world.rows("SELECT customer, category FROM memory") == [(who(world, "YES"), "purchases")]
    world.check_ledger()


def test_a_customer_is_found_again_by_reference_and_address(world, tmp_path):
    bring(world, tmp_path, "customers", HEADER + " ANN ,,1,1,,\nNEW,New@Shop.example,1,1,,\n")
    assert who(world, "ANN") == world.ann
    assert who(world, "new@shop.example", kind="email") == who(world, "NEW")


def test_an_empty_cell_overrides_nothing(world, tmp_path):
    bring(world, tmp_path, "customers", HEADER + "ANN,,3,49.5,L,\n")
    bring(world, tmp_path, "customers", HEADER + "ANN,, ,50,,\n")
    assert known(world, "ANN") == [(3, 50.0, "lamps")]


def test_an_import_leaves_an_entry_with_the_root_over_its_rows(world, tmp_path):
    made = bring(world, tmp_path, "customers", HEADER + 'ANN,,3,49.5,L,"a, b"\nBO,,1,2,,\nNEW,,,,,\n')
    entry = payload(world, made.seq)
    assert made.seq == world.size() - 1
    salt = b64u_bytes(entry["salt"])
    cells = [["ANN", "", "3", "49.5", "L", "a, b"], ["BO", "", "1", "2", "", ""], ["NEW", "", "", "", "", ""]]
    leaves = [
        hashlib.sha256(
            b"\x00"
            + hashlib.sha256(salt + number.to_bytes(8)).digest()
            + json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode()
        ).digest()
        for number, row in enumerate(cells)
    ]
    assert b64u_bytes(entry["root"]) == reference.root(leaves)
    assert b64u_bytes(entry["mapping"]) == hashlib.sha256(CUSTOMERS.encode()).digest()
    assert (entry["what"], entry["rows"], entry["actor"]) == ("customers", 3, "mia")
    assert entry["counts"] == {"new": 1, "refused": 2, "stored": 3}
    world.check_ledger()


def test_statements_come_in_with_all_that_they_say(world, tmp_path):
    made = bring(world, tmp_path, "statements", SAID_HEADER + said("BO", ago=3) + said("NEW", "object", ago=2))
    assert (made.rows, made.customers, made.new, made.recorded, made.unknown) == (2, 2, 1, 2, 0)
    assert made.acts == {Act.GRANT: 1, Act.OBJECT: 1}
    scope = "use:purchases:recommendations"
    assert [world.reason(who(world, name), scope) for name in ("BO", "NEW")] == ["PERMIT", "OBJECTED"]
    assert payload(world, made.seq)["counts"] == {"new": 1, "recorded": 2, "repeated": 0, "silent": 0, "unknown": 0}
    world.check_ledger()


def test_rows_at_hand_come_in_as_a_file_would(world):
    cells = dict(zip(SAID_HEADER.strip().split(","), said("BO").strip().split(","), strict=True))
    made = bring_in_statements(world.deployment, iter([cells]), mapped(world, STATEMENTS), Options(actor=world.mia))
    assert (made.recorded, world.reason(world.bo, "remember:purchases")) == (1, "PERMIT")


def test_the_same_file_again_adds_no_statement(world, tmp_path):
    text = SAID_HEADER + said("BO") + said("NEW") + said("NEW", "withdraw", ago=1)
    first = bring(world, tmp_path, "statements", text)
    stood = world.rows("SELECT * FROM standing ORDER BY customer")
    world.clock.advance(hours=1)
    again = bring(world, tmp_path, "statements", text)
    assert (first.recorded, first.repeated, again.new, again.recorded, again.repeated) == (3, 0, 0, 0, 3)
    assert world.rows("SELECT * FROM standing ORDER BY customer") == stood
    assert world.rows("SELECT count(*) FROM ledger_entry") == [(first.seq + 2,)]  # only that a file came in again
    world.check_ledger()


def test_a_row_that_gives_more_without_evidence_is_unknown(world, tmp_path):
    text = SAID_HEADER + said("BO", evidence="") + said("CY", method="synthetic", evidence="")
    made = bring(world, tmp_path, "statements", text + said("DEE", "renew", evidence=" "))
    assert (made.recorded, made.unknown, made.new) == (1, 2, 2)
    reasons = [world.reason(who(world, name), "remember:purchases") for name in ("BO", "CY", "DEE")]
    assert reasons == ["NO_RECORD", "PERMIT", "NO_RECORD"]


def test_a_row_that_gives_less_needs_no_evidence(world, tmp_path):
    rows_of = said("ANN", "withdraw", evidence="") + said("BO", "refuse", evidence="")
    made = bring(world, tmp_path, "statements", SAID_HEADER + rows_of.replace(days_ago(10), rfc3339(START)))
    assert (made.recorded, made.unknown) == (2, 0)
    assert [world.reason(each, "remember:purchases") for each in (world.ann, world.bo)] == ["WITHDRAWN", "REFUSED"]


def test_an_older_row_never_overrides_a_newer_word(world, tmp_path):
    world.withdraw(world.ann, "remember:purchases")
    world.grant(world.bo, "remember:purchases")
    bring(world, tmp_path, "statements", SAID_HEADER + said("ANN") + said("BO", "withdraw"))
    assert [world.reason(each, "remember:purchases") for each in (world.ann, world.bo)] == ["WITHDRAWN", "PERMIT"]
    world.check_ledger()


def test_rows_count_by_the_time_said_whatever_their_order(world, tmp_path):
    text = said("A", "withdraw", ago=1) + said("A", ago=3) + said("B", "renew", ago=2) + said("B", ago=3)
    made = bring(world, tmp_path, "statements", SAID_HEADER + text + said("C", "renew"))
    assert made.recorded == 5
    reasons = [world.reason(who(world, name), "remember:purchases") for name in ("A", "B", "C")]
    assert reasons == ["WITHDRAWN", "PERMIT", "NO_RECORD"]
    world.check_ledger()


def test_a_renewal_counts_once_its_grant_comes_in(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 1)
    text = SAID_HEADER + said("A", "renew", "remember:purchases", ago=100) + said("A", ago=500)
    bring(world, tmp_path, "statements", text)
    world.clock.advance(days=300)  # the grant alone would have ended by now
    assert world.reason(who(world, "A"), "remember:purchases") == "PERMIT"
    world.clock.advance(days=400)
    assert world.reason(who(world, "A"), "remember:purchases") == "EXPIRED"
    world.check_ledger()


# ---------------------------------------------------------------------------------------------------------- dry runs


def test_a_dry_run_stores_nothing_and_says_what_would_be(world, tmp_path):
    text = HEADER + "ANN,,3,49.5,L,\nBO,,3,,,\nNEW,new@shop.example,3,,,\n"
    before = everything(world)
    dry = bring(world, tmp_path, "customers", text, dry_run=True)
    assert everything(world) == before
    made = bring(world, tmp_path, "customers", text)
    assert (dry.dry_run, dry.seq, made.dry_run) == (True, None, False)
    assert [(each.new, each.stored, each.refused) for each in (dry, made)] == [(1, 3, 2)] * 2


def test_a_dry_run_counts_what_needs_no_asking_of_new_customers(world, tmp_path):
    mapping = mapped(
        world,
        'format = "csv"\nreference = "id"\n[attributes]\ncountry = "country"\nlast_viewed_category = "viewed"',
    )
    path = tmp_path / "new.csv"
    path.write_text("id,country,viewed\nNEW,AT,lamps\n", encoding="utf-8")
    both = [
        bring_in_customers(world.deployment, path, mapping, Options(actor="mia", dry_run=dry_run))
        for dry_run in (True, False)
    ]
    assert [(each.new, each.stored, each.refused) for each in both] == [(1, 1, 1)] * 2


def test_a_dry_run_of_statements_counts_what_would_change(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)  # of NEW and of BO, the second row lies in another chunk
    text = SAID_HEADER + said("BO") + said("NEW", ago=9) + said("NEW", "withdraw", "remember:purchases", ago=8)
    text += (
        said("ANN", "withdraw", "remember:purchases", ago=0) + said("ANN", evidence="") + said("BO", "refuse", ago=20)
    )
    before = everything(world)
    dry = bring(world, tmp_path, "statements", text, dry_run=True)
    assert everything(world) == before
    made = bring(world, tmp_path, "statements", text)
    counts = [(each.customers, each.new, each.recorded, each.unknown, each.acts) for each in (dry, made)]
    assert counts == [(3, 1, 5, 1, {Act.GRANT: 2, Act.WITHDRAW: 2, Act.REFUSE: 1})] * 2
    assert dry.changes == {"permits": 4, "ends": 2, "stays_permitted": 2}
    assert made.changes == {}


def test_a_dry_run_finds_what_is_said_again_however_far_down_the_file(world, tmp_path, monkeypatch):
    """What stands twice is recorded once, and what it changes depends on all rows before it."""
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)
    monkeypatch.setattr(weighing, "_CACHE_KIB", 1)
    use = said("NEW", ago=9)
    text = SAID_HEADER + use + said("BO")
    text += "".join(said(f"N{number}") for number in range(40))
    text += use + said("BO") + said("NEW", "withdraw", "remember:purchases", ago=8) + said("N7") + use
    told: list[dict[str, Any]] = []
    dry = bring(world, tmp_path, "statements", text, dry_run=True, details=told.append)
    made = bring(world, tmp_path, "statements", text)

    assert [(each.recorded, each.repeated, each.new) for each in (dry, made)] == [(43, 4, 41)] * 2
    assert [(each["line"], each["outcome"]) for each in told if each["line"] > 43] == [
        (44, "repeated"), (45, "repeated"), (46, "recorded"), (47, "repeated"), (48, "repeated"),
    ]  # fmt: skip
    assert (dry.changes["permits"], dry.changes["ends"]) == (84, 1)


# ---------------------------------------------------------------------------------------------------- what is refused


def test_one_wrong_row_and_nothing_is_stored(world, tmp_path):
    text = HEADER + "".join(f"N{number},,1,1,L,\n" for number in range(40)) + "LAST,,abc,1,X,\n"
    assert refused(world, tmp_path, "customers", text) == [
        "line 42, column count: 'abc' is not a whole number",
        "line 42, column item: 'X' is not one of 'L', 'C'",
    ]
    world.check_ledger()


def test_a_customer_named_twice_is_refused_and_not_quoted(world, tmp_path):
    text = HEADER + "A,a@x.example,1,1,,\nB,b@x.example,1,1,,\n A,,1,1,,\nC,A@X.example,1,1,,\n"
    assert refused(world, tmp_path, "customers", text) == [
        "line 4, column id: names the same customer as line 2",
        "line 5, column mail: names the same customer as line 2",
    ]


@pytest.mark.parametrize("reference", ["BO", "NEW"])
def test_an_address_of_somebody_else_is_refused(world, tmp_path, reference):
    text = HEADER + f"A,a@shop.example,1,1,,\n{reference},Ann@Shop.example,1,1,,\n"
    assert refused(world, tmp_path, "customers", text) == [
        "line 3, column mail: belongs to another customer than the reference"
    ]
    bring(world, tmp_path, "customers", text.replace(reference, "ANN"))


def test_somebody_known_by_his_address_alone_gets_his_reference(world, tmp_path):
    with world.store.write() as work:
        desk = world.deployment.desk
        [eve] = customers.enrol(desk, work, [{"email": "eve@shop.example"}], at=world.clock())
    made = bring(world, tmp_path, "customers", HEADER + "EVE,eve@shop.example,1,1,,\n")
    assert (made.new, who(world, "EVE")) == (0, eve)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("A,agree,remember:purchases,{then},paper,en,x", "column act: 'agree' is not one of 'request', 'grant', "),
        ("A,,remember:purchases,{then},paper,en,x", "column act: is empty"),
        ("A,grant,,{then},paper,en,x", "column scopes: is empty"),
        (
            "A,grant,remember:purchase,{then},paper,en,x",
            "column scopes: 'remember:purchase' names remember:purchase, which is not in the catalogue; did you mean r",
        ),
        (
            "A,grant,remember:purchases Ann,{then},paper,en,x",
            "column scopes: 'remember:purchases A…' names 'Ann', which is not in the catalogue",
        ),
        ("A,grant,remember:purchases remember:purchases,{then},paper,en,x", "column scopes: a scope stands twice"),
        (
            "A,grant,use:purchases:service,{then},paper,en,x",
            "column scopes: use:purchases:service stands on contract: it isn't granted",
        ),
        (
            "A,pause,remember:purchases,{then},paper,en,x",
            "column scopes: pause concerns the whole customer: leave the scopes out",
        ),
        ("A,grant,remember:purchases,,paper,en,x", "column said_at: is empty"),
        ("A,grant,remember:purchases,yesterday,paper,en,x", "column said_at: 'yesterday' is not a time like 2026-11"),
        (
            "A,grant,remember:purchases,2026-11-21T10:00:00.001Z,paper,en,x",
            "column said_at: is later than now, 2026-11-21T10:00:00.000Z",
        ),
        ("A,grant,remember:purchases,1969-12-31T23:59:59Z,paper,en,x", "column said_at: is before 1970"),
        ("A,grant,remember:purchases,{then},pigeon,en,x", "column method: 'pigeon' is not one of 'web_form', "),
        ("A,grant,remember:purchases,{then},paper,english,x", "column language: 'english' is not a language like "),
        (",grant,remember:purchases,{then},paper,en,x", "column id: names no customer"),
        ("A,grant,remember:purchases,{then},paper,en," + "x" * 2001, "column evidence: has more than 2,000 characters"),
    ],
)  # fmt: skip
def test_a_wrong_statement_is_named_by_line_and_column(sqlite_world, tmp_path, row, why):
    text = SAID_HEADER + said("BO") + row.format(then=days_ago(1)) + "\n"
    [place] = refused(sqlite_world, tmp_path, "statements", text)
    assert place.removeprefix("line 3, ")[: len(why)] == why


def test_an_age_comes_in_with_evidence_only(sqlite_world, tmp_path):
    """Rules 9 and 10: who is known to be old enough is permitted more by it, whatever else his row says."""
    mapping = STATEMENTS + 'age = "age"\n'
    rows = [
        said("BO", "refuse", ago=3 - number, evidence=proof).strip() for number, proof in enumerate(("", "passport"))
    ]
    text = SAID_HEADER.strip() + ",age\n" + "".join(f"{row},40\n" for row in rows)
    [place] = refused(sqlite_world, tmp_path, "statements", text, mapping=mapping)
    assert place == "line 2, column age: counts with evidence only: say what proves it, or leave the age out"


def test_a_file_that_does_not_fit_its_mapping_is_refused_at_its_header(sqlite_world, tmp_path):
    assert refused(sqlite_world, tmp_path, "customers", "id,mail,count,spend,shoes\nA,,1,1,42\n") == [
        "line 1, column item: is missing",
        "line 1, column shoes: is neither mapped nor ignored",
    ]
    assert refused(sqlite_world, tmp_path, "customers", "ann@shop.example,Ann,1\nbo@shop.example,Bo,2\n") == [
        "line 1, column id: is missing: it names the customer. Is the first line a header?"
    ]


@pytest.mark.parametrize(
    ("bring_in", "mapping", "why"),
    [
        (bring_in_statements, CUSTOMERS, "the mapping has no [statement]"),
        (bring_in_outcomes, STATEMENTS, "the mapping has no [outcomes]"),
    ],
)
def test_a_mapping_of_another_kind_is_refused(sqlite_world, tmp_path, bring_in, mapping, why):
    read = mapped(sqlite_world, mapping)
    with pytest.raises(ImportInvalid) as error:
        bring_in(sqlite_world.deployment, tmp_path / "none.csv", read, Options(actor="mia"))
    assert error.value.detail == why


# ------------------------------------------------------------------------------------------------ outcomes, and running


def test_outcomes_are_remembered_of_those_enrolled_who_do_not_object(world, tmp_path):
    world.object(world.bo, "use:responses:measurement")
    told = []
    made = bring(
        world,
        tmp_path,
        "outcomes",
        "id,arm,visit,spent\nANN,M,1,20.5\nBO,M,1,9\nNOBODY,N,0,\n",
        stored=lambda work, brought: told.append((work.writing, brought)),
    )
    assert (made.customers, made.unknown, made.stored, made.refused) == (2, 1, 3, 3)
    facts = [(world.ann, name, True) for name in ("got", "visited", "spent")]
    assert told == [(True, Brought(at=START, times={world.ann: None, world.bo: None}, facts=facts))]
    asked = ("got", "visited", "spent")
    found = world.recall([world.ann, world.bo], asked, purpose="measurement")
    assert found == [{"got": "mail", "visited": True, "spent": 20.5}, dict.fromkeys(asked)]
    assert world.rows("SELECT count(*) FROM customer") == [(2,)]
    world.check_ledger()


def test_a_dry_run_of_outcomes_stores_nothing(world, tmp_path):
    text = "id,arm,visit,spent\nANN,M,1,20.5\nBO,,0,\nNOBODY,N,0,\n"
    before = everything(world)
    dry = bring(world, tmp_path, "outcomes", text, dry_run=True)
    assert everything(world) == before
    made = bring(world, tmp_path, "outcomes", text)
    assert [(each.unknown, each.stored, each.refused) for each in (dry, made)] == [(1, 4, 0)] * 2


def test_a_files_own_words_and_the_notice_shown_are_read(world, tmp_path):
    words = STATEMENTS.replace('act = "act"', 'act = { column = "act", values = { "yes" = "grant" } }')
    mapping = mapped(world, words.replace('language = "language"\n', "").replace("{ value = 1 }", '"language"'))
    path = tmp_path / "statements.csv"
    path.write_text(SAID_HEADER + said("BO", "yes").replace(",en,", ",1,"), encoding="utf-8")
    assert bring_in_statements(world.deployment, path, mapping, Options(actor="mia")).recorded == 1
    assert world.reason(world.bo, "remember:purchases") == "PERMIT"
    path.write_text(SAID_HEADER + said("BO", "yes").replace(",en,", ",0,"), encoding="utf-8")
    with pytest.raises(ImportInvalid) as error:
        bring_in_statements(world.deployment, path, mapping, Options(actor="mia"))
    assert [tuple(place) for place in error.value.places] == [
        ("line 2, column language", "'0' is not a whole number from 1 to 65,535")
    ]


def test_progress_counts_rows_once_they_are_stored(sqlite_world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)
    seen = []

    def progress(done, total):
        seen.append((done, total, sqlite_world.rows("SELECT count(*) FROM customer")))

    bring(sqlite_world, tmp_path, "customers", HEADER + "".join(f"N{n},,,,,\n" for n in range(5)), progress=progress)
    assert seen == [(0, 5, [(2,)]), (2, 5, [(4,)]), (4, 5, [(6,)]), (5, 5, [(7,)])]


def test_an_import_that_was_killed_is_run_again_and_nothing_is_there_twice(world, tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "CHUNK_ROWS", 2)
    text = SAID_HEADER + "".join(said(f"N{number}") for number in range(5))

    def killed(done, _total):
        if done == 4:
            raise KeyboardInterrupt

    size = world.size()
    with pytest.raises(KeyboardInterrupt):
        bring(world, tmp_path, "statements", text, progress=killed)
    assert world.size() == size + 4
    again = bring(world, tmp_path, "statements", text)
    assert (again.repeated, again.recorded, again.new) == (4, 1, 1)
    assert world.size() == size + 5 + 1
    world.check_ledger()


PIECES = st.one_of(
    st.sampled_from(
        [
            HEADER,
            SAID_HEADER,
            ",",
            '"',
            '""',
            "\n",
            "\r\n",
            "\r",
            "A",
            "BO",
            "1",
            "1.9",
            "1e999",
            "L",
            "ann@shop.example",
        ]
    ),
    st.sampled_from(
        ["\x00", "\ufeff", "\u2028", "e\u0301", "\uff11", "9" * 20, " ", "A,,1,1,L,\n", "BO,b@x.example,2,,C,\n"]
    ),
    st.text(max_size=5),
)
FILES = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES, max_size=20).map(lambda parts: HEADER.encode() + "".join(parts).encode("utf-8", "surrogatepass")),
    st.lists(PIECES, max_size=20).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass")),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=FILES)
def test_any_bytes_come_in_whole_or_are_refused_with_nothing_stored(sqlite_world, tmp_path, raw):
    before = everything(sqlite_world)
    try:
        made = bring(sqlite_world, tmp_path, "customers", raw)
    except ImportInvalid:
        assert everything(sqlite_world) == before
    else:
        after = everything(sqlite_world)
        assert after["customer"][0][0] == before["customer"][0][0] + made.new
        assert after["ledger_entry"][0][0] == before["ledger_entry"][0][0] + 1


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["A", "BO", "ANN", "", " "]),
            st.sampled_from([*Act, "", "agree"]),
            st.sampled_from(
                ["", MINE, "remember:purchases", "use:purchases:service", "remember:responses", "none:such"]
            ),
            st.one_of(st.datetimes().map(lambda at: at.isoformat() + "Z"), st.just(days_ago(1)), st.text(max_size=3)),
            st.sampled_from(["paper", "synthetic", "", "pigeon"]),
            st.sampled_from(["en", "", "x" * 40]),
            st.sampled_from(["", "form 7", "\u0344"]),
        ),
        max_size=4,
    )
)
def test_any_statements_come_in_whole_or_are_refused_with_nothing_stored(sqlite_world, tmp_path, lines):
    before = everything(sqlite_world)
    try:
        made = bring(
            sqlite_world, tmp_path, "statements", SAID_HEADER + "".join(",".join(line) + "\n" for line in lines)
        )
    except ImportInvalid:
        assert everything(sqlite_world) == before
    else:
        after = everything(sqlite_world)
        assert after["ledger_entry"][0][0] == before["ledger_entry"][0][0] + made.recorded + 1
    sqlite_world.check_ledger()


@pytest.mark.parametrize("name", ["S0\u200b1", "\u3164", "S\u00ad01"])
def test_a_reference_that_looks_like_another_is_refused_with_its_row(world, tmp_path, name):
    [why] = refused(world, tmp_path, "statements", SAID_HEADER + said("BO") + said(name))
    assert why.startswith("line 3, column id: has a character that cannot be seen (U+")
