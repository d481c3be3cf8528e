"""`/api/v1/customers/{id}/wishes`: set for a customer on the telephone, in force at once."""

from typing import Any

import pytest

from personalise import wishes
from personalise.wishes import Limit, Quiet, Wishes
from tests.erasing import erase

SAID: dict[str, Any] = {
    "limits": [{"channel": None, "most": 3, "days": 30}, {"channel": "sms", "most": 0, "days": 7}],
    "quiet": {"from": "22:00", "until": "24:00", "zone": "Europe/Paris"},
}


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


@pytest.fixture
def path(world):
    return f"/api/v1/customers/{world.ann}/wishes"


def change(who, path, body=None, *, tag=None, method="PUT"):
    tag = who.get(path).headers["ETag"] if tag is None else tag
    more = {"json": body} if body is not None else {}
    return who.call(method, path, headers={"If-Match": tag}, **more)


def stands(world):
    with world.store.read() as work:
        return wishes.of(wishes.read(work, [world.ann]), world.ann)


def test_wishes_are_set_shown_and_removed(world, path, caller):
    who, size = caller(), world.size()
    none = {"customer": world.ann, "limits": [], "quiet": None, "position": None}
    assert who.get(path).get_json() == none
    answer = change(who, path, SAID)
    assert (answer.status_code, answer.get_json()) == (200, {"customer": world.ann, **SAID, "position": size})
    assert stands(world) == Wishes(
        limits={"*": Limit(3, 30), "sms": Limit(0, 7)}, quiet=Quiet(1_320, 1_440, "Europe/Paris")
    )
    assert who.get(path).get_json() == {"customer": world.ann, **SAID, "position": None}
    assert (change(who, path, SAID).get_json()["position"], world.size()) == (None, size + 1)
    assert change(who, path, method="DELETE").get_json() == {**none, "position": size + 1}
    assert stands(world) == wishes.NONE
    world.check_ledger()


def test_what_he_changed_meanwhile_is_not_changed_over(world, path, caller):
    who = caller()
    old = who.get(path).headers["ETag"]
    change(who, path, SAID)
    answers = [change(who, path, {"limits": [], "quiet": None}, tag=old), who.call("DELETE", path)]
    assert [(each.status_code, each.get_json()["code"]) for each in answers] == [
        (412, "version_moved"), (428, "version_missing"),
    ]  # fmt: skip
    assert stands(world) != wishes.NONE


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"limits": [{"channel": "fax", "most": 1, "days": 1}], "quiet": None}, 422, "/limits/0"),
        ({"limits": [{"channel": None, "most": 101, "days": 1}], "quiet": None}, 400, "/limits/0/most"),
        ({"limits": [{"channel": None, "most": 1, "days": 0}], "quiet": None}, 400, "/limits/0/days"),
        ({"limits": SAID["limits"][:1] * 2, "quiet": None}, 422, "/limits/1/channel"),
        ({"limits": [], "quiet": {"from": "22:00", "until": "22:00"}}, 422, "/quiet"),
        ({"limits": [], "quiet": {"from": "24:00", "until": "08:00"}}, 422, "/quiet"),
        ({"limits": [], "quiet": {"from": "22:00", "until": "08:00", "zone": "Paris"}}, 422, "/quiet"),
        ({"limits": [], "quiet": {"from": "22:00", "until": "00:00"}}, 422, "/quiet"),
        ({"limits": [], "quiet": {"from": "8:00", "until": "09:00"}}, 400, "/quiet/from"),
        ({"limits": []}, 400, "/quiet"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place_and_changes_nothing(world, path, caller, body, status, pointer):
    size = world.size()
    answer = change(caller(), path, body)
    [place] = answer.get_json()["errors"]
    assert (answer.status_code, place.get("pointer"), world.size()) == (status, pointer, size)


def test_nobody_wishes_in_the_name_of_somebody_erased(world, path, caller):
    tag = caller().get(path).headers["ETag"]
    erase(world, world.ann)
    size = world.size()
    answer = change(caller(), path, SAID, tag=tag)
    assert (answer.status_code, answer.get_json()["code"], world.size()) == (409, "customer_erased", size)
    assert world.rows("SELECT count(*) FROM wish") == [(0,)]


def test_the_ledger_says_that_he_changed_it_and_only_his_key_says_what(world, path, caller):
    position = change(caller(), path, SAID).get_json()["position"]
    with world.store.read() as work:
        done = wishes.changed(world.deployment.desk, work, world.ann, position)
    assert (done.before, done.now) == (wishes.NONE, stands(world))
    erase(world, world.ann)
    world.check_ledger()


def test_of_a_stranger_there_is_nothing(caller):
    for customer in ("cus_" + "0" * 32, "ANN"):
        answer = caller().get(f"/api/v1/customers/{customer}/wishes")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "customer_unknown")
