"""An export: all that is kept of a customer and known of him, and nothing of anybody else; recorded before it goes."""

import json
import re
from datetime import timedelta

import pytest

from api.settings import Settings
from api.wiring import House
from consent.base.errors import CustomerUnknown, Invalid, StateConflict
from consent.base.ids import CustomerId
from consent.ledger.position import parts
from consent.register import merging, publishing
from consent.rights import exporting, linked, requests, sections
from consent.rights.asked import Right
from consent.rights.exporting import Form
from consent.rights.requests import Asking
from personalise import engine, shelf, wishes
from personalise.contact_policy.reading import parse_contact_policy
from personalise.runs import run as runs
from personalise.wishes import Limit, Quiet
from tests.campaigns import TABLES, fill, open_run, publish
from tests.erasing import erase
from tests.vectors.terms import terms

NO_HOLDOUT = {"holdout": {"share": 0.0, "salt": "s"}}
CY = "staff:cy"
INTEREST, USE = "remember:interests", "use:interests:recommendations"


def house_of(world):
    return House(settings=Settings(database_url=world.url, keyring=world.keyring), deployment=world.deployment)


def export(world, who, form=Form.JSON, *, reason="he asked", actor=CY):
    with world.store.write() as work:
        begun = exporting.start(world.deployment.desk, work, who, form, actor=actor, reason=reason, at=world.clock())
    return begun, b"".join(pieces(world, begun))


def pieces(world, begun):
    return exporting.written(world.store, world.deployment.desk, begun, house_of(world).elsewhere())


def told(world, who, form=Form.JSON, **more):
    return json.loads(export(world, who, form, **more)[1])


@pytest.fixture
def busy(world):
    """Return a world in which much has happened to Ann: facts, statements, decisions, contacts, a request, uses."""
    fill(world, 10)
    key = publish(world, campaign=NO_HOLDOUT)
    world.remember(world.ann, main_interest="garden", months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    engine.decide_one(world.deployment, world.ann, campaign=key, actor="key:k")
    world.clock.advance(minutes=1)
    runs.advance(world.deployment, open_run(world.deployment, key, actor="staff:mia"))
    world.clock.advance(minutes=1)
    world.withdraw(world.ann, "contact:sms:recommendations", evidence="she rang")
    with world.store.write() as work:
        asking = Asking(kind=Right.RECTIFICATION, wish="my name is Ann")
        request = requests.take_in(world.deployment.desk, work, world.ann, asking, actor="customer", at=world.clock())
        requests.assign(world.deployment.desk, work, request.id, "staff:dagobert", actor=CY, at=world.clock())
    world.clock.advance(minutes=1)
    return world


def test_an_export_has_all_sections_in_one_order(busy):
    document = told(busy, busy.ann)
    assert list(document) == [
        "format", "export", "made_at", "position", "catalogue", "controller", "rights", "customer", "identities",
        "households", "remembered", "permissions", "statements", "notices", "receipts", "decisions", "contacts",
        "outcomes", "goodwill", "commitments", "wishes", "uses", "requests",
    ]  # fmt: skip
    assert (document["format"], document["customer"]["id"]) == ("byleave/export/v1", busy.ann)
    assert document["identities"] == [{"kind": "email", "count": 1}, {"kind": "reference", "count": 1}]


def test_an_export_tells_what_is_remembered_by_category(busy):
    document = told(busy, busy.ann)
    assert [
        (each["category"], each["origin"], {fact["name"]: fact["value"] for fact in each["facts"]})
        for each in document["remembered"]
    ] == [
        ("interests", "provided", {"main_interest": "garden"}),
        ("purchases", "observed", {"months_since_purchase": 3, "purchases_count": 7, "spend_past_year": 50.0}),
    ]  # fmt: skip


def test_an_export_tells_what_was_said_to_which_words_and_where_it_stands(busy):
    document = told(busy, busy.ann)
    first, last = document["statements"]
    assert [(each["act"], each["position"], each["by"]) for each in (first, last)] == [
        ("grant", document["receipts"][0]["position"], "customer"),
        ("withdraw", document["receipts"][1]["position"], "customer"),
    ]  # fmt: skip
    assert last["evidence"] == "she rang"
    wordings = {(each["notice"], each["version"], each["language"]): each["text"] for each in document["notices"]}
    shown = {(each["notice"], each["version"], each["language"]) for each in first["notices"]}
    assert shown == set(wordings)
    assert wordings["remember-interests", 1, "en"].startswith("May we remember the interests you tell us")
    by_scope = {each["scope"]: each for each in document["permissions"]}
    withdrawn = by_scope["contact:sms:recommendations"]
    assert (withdrawn["permit"], withdrawn["reason"], withdrawn["positions"]) == (
        False, "WITHDRAWN", [last["position"]],
    )  # fmt: skip


def test_an_export_tells_decisions_contacts_and_uses(busy):
    document = told(busy, busy.ann)
    assert [(each["campaign"], each["chosen"]) for each in document["decisions"]] == [("spring", "letter")] * 2
    assert {frozenset(each["categories_used"]) for each in document["decisions"]} == {
        frozenset({"purchases", "interests"})
    }
    assert all(each["explanation"].startswith("You get this because you allowed") for each in document["decisions"])
    assert [each["decision"] for each in document["contacts"]] == [each["decision"] for each in document["decisions"]]
    mine = [(each["by"], each["purpose"], each["reason"]) for each in document["uses"]]
    assert mine == [("key", "recommendations", ""), ("staff", "right:export", "he asked")]


@pytest.fixture
def dealt_with(world):
    """Return a world in which Ann was offered something that holds, paid for it in goodwill, and wished for peace."""
    text = {"goodwill": {"opening": 10, "prices": {"post": 2.5}}}
    with world.store.write() as work:
        rules = parse_contact_policy(json.dumps(text), "json", world.deployment.desk.catalogues.current(work))
        shelf.publish_contact_policy(world.deployment.desk, work, rules, actor="mia", at=world.clock())
    first, guide = TABLES["offer"]
    publish(world, campaign=NO_HOLDOUT, offer=[first, {**guide, "terms": {"prices": "as in the shop"}, "validity": 14}])
    world.remember(world.ann, main_interest="garden", months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    engine.decide_one(world.deployment, world.ann, campaign="spring", actor="key:k")
    said = wishes.Wishes(limits={"*": Limit(3, 30), "sms": Limit(0, 7)}, quiet=Quiet(1_320, 480, "Europe/Paris"))
    with world.store.write() as work:
        wishes.say(work, world.ann, said, channels=("sms",), at=world.clock())
    world.clock.advance(minutes=1)
    return world


def test_an_export_tells_goodwill_promised_terms_and_wishes(dealt_with):
    document = told(dealt_with, dealt_with.ann)
    [decision] = document["decisions"]
    at, entry = decision["at"], {"decision": decision["decision"], "position": decision["position"]}
    assert document["goodwill"] == [
        {"at": at, "kind": "opening", "amount": 10.0, "balance": 10.0, "decision": "", "position": None},
        {"at": at, "kind": "contact", "amount": -2.5, "balance": 7.5, **entry},
    ]
    [promised] = document["commitments"]
    [digest] = [row[0] for row in dealt_with.rows("SELECT terms FROM commitment")]
    assert promised == {
        "at": at, "until": "2026-12-05T10:00:00.000Z", "family": "spring", "offer": "guide",
        "terms": {"prices": "as in the shop"}, "terms_sha256": digest, "campaign": "spring", **entry,
    }  # fmt: skip
    limit = {"at": at, "channel": None, "most": None, "days": None, "quiet": None, "zone": None}
    assert document["wishes"] == [
        {**limit, "quiet": ["22:00", "08:00"], "zone": "Europe/Paris"}, {**limit, "most": 3, "days": 30},
        {**limit, "channel": "sms", "most": 0, "days": 7},
    ]  # fmt: skip
    linked_ = told(dealt_with, dealt_with.ann, Form.JSONLD)
    rows = [each["byleave:row"] for each in walked(linked_) if isinstance(each, dict) and "byleave:row" in each]
    for section in ("goodwill", "commitments", "wishes"):
        assert [each for each in document[section] if each not in rows] == []


def test_an_export_explains_in_the_language_that_is_asked_for(dealt_with):
    elsewhere = house_of(dealt_with).elsewhere("de-AT")
    [decision] = elsewhere.decisions(dealt_with.ann, dealt_with.clock())
    assert decision["explanation"].startswith("Sie bekommen dies, weil Sie die Nutzung von")


def test_what_came_later_and_what_is_somebody_elses_is_in_no_account(dealt_with):
    elsewhere, before = house_of(dealt_with).elsewhere(), dealt_with.clock() - timedelta(hours=1)
    for rows in (elsewhere.goodwill, elsewhere.commitments, elsewhere.wishes):
        assert list(rows(dealt_with.ann, dealt_with.clock())) != []
        assert list(rows(dealt_with.ann, before)) == []
        assert list(rows(dealt_with.bo, dealt_with.clock())) == []


def test_erased_nothing_of_his_dealings_is_left(dealt_with):
    tables = ("contact", "goodwill", "goodwill_entry", "commitment", "wish")
    done = erase(dealt_with, dealt_with.ann)
    assert {table: done.deleted[table] for table in tables} == dict(zip(tables, (1, 1, 2, 1, 3), strict=True))
    assert [dealt_with.rows(f"SELECT count(*) FROM {table}") for table in tables] == [[(0,)]] * len(tables)  # noqa: S608 -- the names above
    dealt_with.check_ledger()


def test_an_export_names_no_member_of_staff(busy):
    _, written = export(busy, busy.ann)
    assert [name for name in (b"dagobert", b"staff:", b"mia") if name in written] == []
    [request] = json.loads(written)["requests"]
    assert (request["kind"], request["state"], request["wish"]) == ("rectification", "in_hand", "my name is Ann")
    assert "owner" not in request


def test_nothing_of_anybody_else_is_in_an_export(busy):
    # Bo's facts could have leaked: they stand in the same tables, and in the same run's chunk.
    busy.grant(busy.bo, INTEREST, USE)
    busy.remember(busy.bo, main_interest="zeppelins")
    _, written = export(busy, busy.ann)
    assert [name for name in (b"zeppelins", busy.bo.encode()) if name in written] == []
    assert b"zeppelins" in export(busy, busy.bo)[1]


@pytest.mark.parametrize("act", ["pause", "restrict"])
def test_no_state_of_the_customer_stands_between_him_and_his_data(world, act):
    world.remember(world.ann, main_interest="garden")
    world.say(world.statement(world.ann, act))
    assert world.recall([world.ann], ["main_interest"], purpose="recommendations") == [{"main_interest": None}]
    assert [each["category"] for each in told(world, world.ann)["remembered"]] == ["interests"]


def test_what_the_catalogue_has_no_more_is_told_all_the_same(world):
    world.remember(world.ann, main_interest="garden")
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    start = body.index('[[category]]\nkey = "interests"')
    less = body[:start] + body[body.index("[[category]]", start + 1) :]
    world.publish(re.sub(r'(?ms)^\[\[scope\]\]\nscope = "[a-z]+:interests.*?\n\n', "", less))
    [category] = told(world, world.ann)["remembered"]
    assert (category["category"], category["title"], category["origin"], category["facts"]) == (
        "interests", "interests", None, [{"name": "main_interest", "value": "garden"}],
    )  # fmt: skip
    linked_ = told(world, world.ann, Form.JSONLD)["dpv:hasPersonalData"]
    assert [each["@type"] for each in linked_] == ["dpv:PersonalData"]


def test_an_export_is_recorded_before_anything_leaves(world):
    world.remember(world.ann, main_interest="garden")
    begun, _ = export(world, world.ann)
    [(actor, purpose, categories, customers, customer, reason)] = world.rows(
        "SELECT actor, purpose, categories, customers, customer, reason FROM data_use"
    )
    assert (actor, purpose, categories, customers, customer, reason) == (
        CY, "right:export", "interests", 1, world.ann, "he asked",
    )  # fmt: skip
    with world.store.read() as work:
        assert publishing.noted(world.deployment.desk, work, *parts(begun.position)) == {
            "actor": CY, "customer": world.ann, "format": "json", "use": begun.id,
        }  # fmt: skip
    world.check_ledger()


def test_an_export_needs_a_reason_and_a_customer(world):
    with pytest.raises(Invalid):
        export(world, world.ann, reason="")
    with pytest.raises(CustomerUnknown):
        export(world, CustomerId("cus_" + "0" * 32))
    assert world.rows("SELECT count(*) FROM data_use") == [(0,)]


def test_an_export_tells_what_was_recorded_by_its_instant(world):
    with world.store.write() as work:
        begun = exporting.start(
            world.deployment.desk, work, world.ann, Form.JSON, actor=CY, reason="he asked", at=world.clock()
        )
    world.clock.advance(hours=1)
    world.withdraw(world.ann, "contact:email:newsletter")
    assert len(json.loads(b"".join(pieces(world, begun)))["statements"]) == 1
    assert len(told(world, world.ann)["statements"]) == 2


def test_a_long_history_is_read_a_part_at_a_time(world, monkeypatch):
    monkeypatch.setattr(sections, "PAGE", 3)
    for _ in range(4):
        world.clock.advance(minutes=1)
        world.withdraw(world.ann, "contact:email:newsletter")
        world.grant(world.ann, "contact:email:newsletter")
    document = told(world, world.ann)
    positions = [each["position"] for each in document["statements"]]
    assert (len(positions), positions) == (9, sorted(set(positions)))
    assert [each["position"] for each in document["receipts"]] == positions


def test_a_file_is_broken_off_where_its_customer_is_erased_meanwhile(world):
    with world.store.write() as work:
        begun = exporting.start(
            world.deployment.desk, work, world.ann, Form.JSON, actor=CY, reason="he asked", at=world.clock()
        )
    world.tamper("DELETE FROM data_key WHERE owner = :who", who=world.ann)
    given = []
    with pytest.raises(StateConflict, match="not whole"):
        given.extend(pieces(world, begun))
    with pytest.raises(json.JSONDecodeError):
        json.loads(b"".join(given))


# ---------------------------------------------------------------------------------------------------------- JSON-LD


def walked(value):
    yield value
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walked(each)


def terms_of(document):
    """Return all names with a prefix of the context, outside of what stands as it is in the plain export."""
    found = set()
    todo = [document]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            found |= {key for key in value if ":" in key}
            found |= {value[key] for key in ("@id", "@type") if isinstance(value.get(key), str)}
            todo += [each for key, each in value.items() if key not in ("byleave:row", "@context")]
        elif isinstance(value, list):
            found |= {each for each in value if isinstance(each, str)}
            todo += value
    return {name for name in found if name.partition(":")[0] in ("dpv", "pd", "eu-gdpr")}


def test_an_export_in_json_ld_uses_published_terms_only(busy):
    used = terms_of(told(busy, busy.ann, Form.JSONLD))
    assert len(used) > 40
    assert used - set(terms()) == set()


def test_an_export_in_json_ld_holds_all_that_the_plain_one_holds(busy):
    begun, written = export(busy, busy.ann, Form.JSONLD)
    document = json.loads(written)
    assert list(document)[:4] == ["@context", "@id", "@type", "dct:conformsTo"]
    assert document["dct:identifier"] == begun.id
    plain = told(busy, busy.ann)
    rows = [each["byleave:row"] for each in walked(document) if isinstance(each, dict) and "byleave:row" in each]
    rows = [row for row in rows if isinstance(row, dict) and row.get("purpose") != "right:export"]
    for section in ("permissions", "statements", "decisions", "contacts", "outcomes", "requests"):
        assert [each for each in plain[section] if each not in rows] == []
    assert [
        (each["dct:identifier"], each["@type"], [fact["rdf:value"] for fact in each["byleave:fact"]])
        for each in document["dpv:hasPersonalData"]
    ] == [
        ("interests", "dpv:ProvidedPersonalData", ["garden"]),
        ("purchases", "dpv:ObservedPersonalData", [3, 7, 50.0]),
    ]  # fmt: skip
    assert len(document["dpv:hasNotice"]) == len(plain["notices"])
    assert len(document["byleave:receipt"]) == len(plain["receipts"])


def test_every_section_has_its_place_in_json_ld(world):
    plain = list(told(world, world.ann))
    listed = [section for kinds in linked.PROPERTIES.values() for section in kinds]
    assert sorted(listed) == sorted(plain[plain.index("identities") :])


def test_no_key_stands_twice_in_an_export(busy):
    def once(pairs):
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    for form in Form:
        json.loads(export(busy, busy.ann, form)[1], object_pairs_hook=once)


def test_a_customer_of_whom_nothing_is_kept_is_told_so(world):
    document = told(world, world.bo)
    assert (document["remembered"], document["statements"], document["decisions"]) == ([], [], [])
    assert told(world, world.bo, Form.JSONLD)["dpv:hasPersonalData"] == []
    assert sum(each["permit"] for each in document["permissions"]) == 12  # what needs no asking


def test_decisions_of_later_are_not_in_an_export_of_now(busy):
    before = told(busy, busy.ann)
    busy.clock.advance(days=40)
    engine.decide_one(busy.deployment, busy.ann, campaign="spring", actor="key:k")
    assert len(told(busy, busy.ann)["decisions"]) == len(before["decisions"]) + 1
    by = busy.clock() - timedelta(days=1)
    assert list(house_of(busy).elsewhere().decisions(busy.ann, by)) == before["decisions"]


# ---------------------------------------------------------------------------------------------------------- mergers


def test_what_was_done_under_an_id_that_was_given_up_is_his_all_the_same(busy):
    busy.clock.advance(minutes=1)
    [other] = busy.enrol("ANNE")
    busy.grant(other, "contact:email:newsletter")
    busy.clock.advance(minutes=1)
    before = told(busy, busy.ann)
    with busy.store.write() as work:
        merging.merge(busy.deployment.desk, work, busy.ann, other, actor=CY, at=busy.clock())
    busy.clock.advance(minutes=1)
    for asked in (busy.ann, other):
        document = told(busy, asked)
        assert document["customer"]["id"] == other
        given_up = [each["position"] for each in document["statements"] if each.get("under") == busy.ann]
        assert given_up[: len(before["statements"])] == [each["position"] for each in before["statements"]]
        positions = [each["position"] for each in document["statements"]]
        assert positions == sorted(positions)
        assert [each["decision"] for each in document["decisions"]] == [
            each["decision"] for each in before["decisions"]
        ]
        assert {each["under"] for each in document["contacts"]} == {busy.ann}
        assert [each["kind"] for each in document["requests"]] == ["rectification"]
    busy.check_ledger()
