"""`/api/v1/customers/{id}/household`: with whom a customer lives, for caps that count a household together."""

import pytest

from consent.register import households
from tests.erasing import erase


@pytest.fixture
def world(sqlite_world):
    return sqlite_world


def path(customer):
    return f"/api/v1/customers/{customer}/household"


def stands(world):
    with world.store.read() as work:
        return households.of(work, [world.ann, world.bo])


def told(answer):
    return answer.status_code, answer.get_json()


def test_a_customer_comes_into_a_household_changes_it_and_leaves_it(world, caller):
    who = caller()
    name = {"name": "Elm Street 1"}
    inside = {"customer": world.ann, "household": True, "changed": True}
    assert told(who.call("PUT", path(world.ann), json=name)) == (200, inside)
    assert told(who.call("PUT", path(world.ann), json={"name": " Elm Street 1 "})) == (
        200,
        {**inside, "changed": False},
    )
    assert told(who.call("PUT", path(world.bo), json=name)) == (200, {**inside, "customer": world.bo})
    assert len({*stands(world).values()}) == 1
    who.call("PUT", path(world.ann), json={"name": "Oak Street 2"})
    assert len({*stands(world).values()}) == 2
    assert told(who.call("DELETE", path(world.ann))) == (200, {**inside, "household": False})
    assert told(who.call("DELETE", path(world.ann))) == (200, {**inside, "household": False, "changed": False})
    assert [*stands(world)] == [world.bo]


@pytest.mark.parametrize(
    ("body", "status"), [({"name": ""}, 400), ({"name": "x" * 501}, 400), ({}, 400), ({"name": "x", "more": 1}, 400)]
)
def test_what_is_no_name_is_refused(world, caller, body, status):
    assert caller().call("PUT", path(world.ann), json=body).status_code == status
    assert stands(world) == {}


@pytest.mark.parametrize("blank", [" ", "  ", "\u00a0", "\u3000"])
def test_a_blank_name_says_nothing_and_takes_nobody_out(world, caller, blank):
    who = caller()
    who.call("PUT", path(world.ann), json={"name": "Elm Street 1"})
    before = stands(world)
    answer = who.call("PUT", path(world.ann), json={"name": blank})
    assert (answer.status_code, answer.get_json()["errors"]) == (
        422,
        [{"pointer": "/name", "detail": "is blank: it names no household; DELETE takes the customer out of his"}],
    )
    assert stands(world) == before


def test_who_is_not_there_or_was_erased_comes_into_none(world, caller):
    who = caller()
    assert who.call("PUT", path("cus_" + "0" * 32), json={"name": "x"}).status_code == 404
    assert who.call("PUT", path("ANN"), json={"name": "x"}).status_code == 404
    erase(world, world.ann)
    assert who.call("PUT", path(world.ann), json={"name": "x"}).get_json()["code"] == "customer_erased"
    assert stands(world) == {}
