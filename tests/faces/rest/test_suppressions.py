"""`/api/v1/suppressions`: addresses come in the body, and none is ever given out."""

import pytest

from api.roles import KeyScope, Role
from consent.base.clock import rfc3339
from consent.register import customers, suppressing
from consent.vault import seal

ADDRESS = "ann@shop.example"
PATH = "/api/v1/suppressions"


def test_an_address_is_left_alone_and_whoever_has_it_is_not_contacted(shop, sqlite_world):
    """Rule 11."""
    answer = shop.post(PATH, {"address": ADDRESS, "why": "complained"})
    again = shop.post(PATH, {"address": f" {ADDRESS.upper()}"})

    assert (answer.status_code, again.status_code) == (201, 201)
    assert (answer.json["changed"], answer.json["customers"], again.json["changed"]) == (True, 1, False)
    assert sqlite_world.reason(sqlite_world.ann, "contact:email:recommendations") == "SUPPRESSED"
    assert ADDRESS not in answer.text
    sqlite_world.check_ledger()


def test_whether_it_is_left_alone_can_be_asked(shop):
    before = shop.post(f"{PATH}:check", {"address": ADDRESS})
    made = shop.post(PATH, {"address": ADDRESS}).json
    after = shop.post(f"{PATH}:check", {"address": ADDRESS})
    other = shop.post(f"{PATH}:check", {"address": "+493012345678", "kind": "phone"})

    assert before.json == other.json == {"suppressed": False, "since": None, "position": None}
    assert after.json == {"suppressed": True, "since": made["since"], "position": made["position"]}


def test_it_can_be_lifted_once(shop, sqlite_world):
    shop.post(PATH, {"address": ADDRESS})
    lifted, again = shop.post(f"{PATH}:lift", {"address": ADDRESS}), shop.post(f"{PATH}:lift", {"address": ADDRESS})
    assert (lifted.status_code, lifted.json["changed"]) == (200, True)
    assert (again.status_code, again.json["code"]) == (404, "not_suppressed")
    assert sqlite_world.reason(sqlite_world.ann, "contact:email:recommendations") == "PERMIT"


def test_a_past_time_can_be_asked_for(shop, sqlite_world):
    """Rule 16."""
    made = shop.post(PATH, {"address": ADDRESS}).json
    sqlite_world.clock.advance(hours=1)
    during = rfc3339(sqlite_world.clock())
    sqlite_world.clock.advance(hours=1)
    shop.post(f"{PATH}:lift", {"address": ADDRESS})
    then = shop.post(f"{PATH}:check", {"address": ADDRESS, "as_of": during})
    now = shop.post(f"{PATH}:check", {"address": ADDRESS})
    ahead = shop.post(f"{PATH}:check", {"address": ADDRESS, "as_of": "2999-01-01T00:00:00.000Z"})

    assert then.json == {"suppressed": True, "since": made["since"], "position": made["position"]}
    assert now.json["suppressed"] is False
    assert (ahead.status_code, ahead.json["errors"][0]["pointer"]) == (422, "/as_of")


def test_the_list_is_walked_from_the_newest_back_and_names_no_address(shop):
    made = [shop.post(PATH, {"address": f"n{number}@shop.example"}).json["position"] for number in range(3)]
    first = shop.get(f"{PATH}?limit=2").json
    rest = shop.get(f"{PATH}?limit=2&cursor={first['next_cursor']}").json

    assert [each["position"] for each in (*first["data"], *rest["data"])] == made[::-1]
    assert (first["total"], rest["next_cursor"]) == (3, None)
    assert {tuple(each) for each in first["data"]} == {("kind", "since", "position")}


def test_the_list_of_a_past_time_can_be_asked_for(shop, sqlite_world):
    """Rule 16."""
    made = []
    for number in range(3):
        made.append(shop.post(PATH, {"address": f"n{number}@shop.example"}).json["position"])
        sqlite_world.clock.advance(hours=1)
    during = rfc3339(sqlite_world.clock())
    sqlite_world.clock.advance(hours=1)
    shop.post(f"{PATH}:lift", {"address": "n1@shop.example"})
    then = shop.get(f"{PATH}?limit=2&as_of={during}").json
    rest = shop.get(f"{PATH}?limit=2&as_of={during}&cursor={then['next_cursor']}").json
    ahead = shop.get(f"{PATH}?as_of=2999-01-01T00:00:00Z")

    assert [each["position"] for each in (*then["data"], *rest["data"])] == made[::-1]
    assert (then["total"], shop.get(PATH).json["total"]) == (3, 2)
    assert shop.get(f"{PATH}?as_of=2020-01-01T00:00:00Z").json == {"data": [], "next_cursor": None, "total": 0}
    assert (ahead.status_code, ahead.json["errors"][0]["parameter"]) == (422, "as_of")


WRONG = {
    "nothing": ({}, ["/address"]),
    "no kind": ({"address": ADDRESS, "kind": "E Mail"}, ["/kind"]),
    "a reference": ({"address": "ANN", "kind": "reference"}, ["/kind"]),
    "nonsense": ({"address": "nonsense"}, ["/address"]),
    "no number": ({"address": "030 12345678", "kind": "phone"}, ["/address"]),
    "a reason of one's own": ({"address": ADDRESS, "why": "Mr Smith asked"}, ["/why"]),
    "a reason of the house": ({"address": ADDRESS, "why": "erased"}, ["/why"]),
    "more": ({"address": ADDRESS, "customer": "x"}, ["/customer"]),
}


UNFIT = {"a reference", "nonsense", "no number"}
"""What a schema can't say."""


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_and_nothing_is_left_alone(case, shop, stored):
    body, places = WRONG[case]
    before = stored()
    answer = shop.post(PATH, body)
    status = 422 if case in UNFIT else 400
    assert (answer.status_code, [each["pointer"] for each in answer.json["errors"]]) == (status, places)
    assert stored() == before


def test_a_key_that_may_only_read_can_ask_and_no_more(caller):
    reader = caller(scopes=[KeyScope.CONSENT_READ])
    assert reader.get(PATH).status_code == 200
    assert [reader.post(path, {"address": ADDRESS}).status_code for path in (PATH, f"{PATH}:lift")] == [403, 403]


def test_who_writes_consent_can_not_lift(caller):
    writer = caller(scopes=[KeyScope.CONSENT_WRITE], role=Role.AGENT)
    assert writer.post(PATH, {"address": ADDRESS}).status_code == 201
    assert writer.post(f"{PATH}:lift", {"address": ADDRESS}).status_code == 403


@pytest.mark.parametrize("what", ["", ":check"])
def test_a_kind_that_is_not_known_here_is_refused_and_those_there_are_are_named(shop, stored, what):
    shop.post("/api/v1/customers", {"addresses": {"phone": "+49301234567"}})
    before = stored()
    answer = shop.post(f"{PATH}{what}", {"address": ADDRESS, "kind": "mail"})
    [wrong] = answer.json["errors"]
    assert (answer.status_code, wrong["pointer"]) == (422, "/kind")
    assert wrong["detail"].startswith("no addresses of this kind are known here; there are email, phone")
    assert stored() == before


def test_a_kind_that_an_import_brought_is_known(shop, sqlite_world):
    with sqlite_world.store.write() as work:
        desk, at = sqlite_world.deployment.desk, sqlite_world.clock()
        customers.enrol(desk, work, [{"reference": "F1", "fax_number": "12"}], at=at)
    made = shop.post(PATH, {"address": "12", "kind": "fax_number"})
    refused = shop.post(PATH, {"address": "12", "kind": "fax"})
    assert (made.status_code, made.json["customers"]) == (201, 1)
    assert (refused.status_code, "fax_number" in refused.text) == (422, True)


def test_what_was_put_on_the_list_under_another_kind_before_can_be_seen_and_taken_off(shop, sqlite_world):
    world = sqlite_world
    blind = seal.blind(world.deployment.desk.keys.index_key, "mail", ADDRESS)
    with world.store.write() as work:
        suppressing.suppress_blind(
            world.deployment.desk, work, ("mail", blind), actor="cy", why=suppressing.Why.ASKED, at=world.clock()
        )
    asked = {"address": ADDRESS, "kind": "mail"}
    assert shop.post(f"{PATH}:check", asked).json["suppressed"] is True
    assert shop.post(f"{PATH}:lift", asked).status_code == 200
