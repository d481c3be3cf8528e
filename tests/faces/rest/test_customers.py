"""Customers, enrolled over HTTP."""

import pytest

PATH = "/api/v1/customers"


def test_a_customer_is_enrolled_once(shop, sqlite_world):
    first = shop.post(PATH, {"reference": "S4711", "addresses": {"email": "Cleo@Shop.example", "phone": "+4930123456"}})
    again = shop.post(PATH, {"addresses": {"email": "cleo@shop.example"}})

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.get_json() == first.get_json()
    assert sqlite_world.reason(first.get_json()["customer"], "contact:email:newsletter") == "NO_RECORD"


def test_who_is_known_keeps_his_id(shop, sqlite_world, stored):
    before = stored()
    assert shop.post(PATH, {"reference": "ANN"}).get_json() == {"customer": sqlite_world.ann}
    assert stored() == before


def test_names_are_kept_as_keyed_hashes_only(shop, sqlite_world):
    shop.post(PATH, {"reference": "S4711", "addresses": {"email": "cleopatra@shop.example"}})

    for (table,) in sqlite_world.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        rows = repr(sqlite_world.rows(f'SELECT * FROM "{table}"')).lower()  # noqa: S608 -- our own tables' names
        assert [name for name in ("s4711", "cleopatra") if name in rows] == [], table


def test_somebody_needs_a_name(shop, stored):
    before = stored()
    answers = [shop.post(PATH, {}), shop.post(PATH, {"addresses": {}})]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.get_json()["errors"] for answer in answers] == [
        [{"pointer": "", "detail": "give at least 1 of reference, addresses"}],
        [{"pointer": "/addresses", "detail": "give at least 1 of email, phone"}],
    ]
    assert stored() == before


def test_every_wrong_name_is_pointed_at(shop, stored):
    before = stored()
    answer = shop.post(PATH, {
        "reference": "", "addresses": {"email": "cleo at shop", "phone": "030/123456", "fax": "1"}, "id": "cus_1",
    })  # fmt: skip

    assert answer.status_code == 400
    assert {each["pointer"]: each["detail"] for each in answer.get_json()["errors"]} == {
        "/reference": "must have 1 to 254 characters",
        "/addresses/email": "is not an e-mail address",
        "/addresses/phone": "is not a telephone number like +4930123456",
        "/addresses/fax": "is not known here",
        "/id": "is not known here",
    }
    assert stored() == before


BLANK = [" ", "  ", "\u00a0", "\u3000", "\u2003\u3000"]
UNSEEN = ["S0\u200b1", "S01\u2060", "\ufeffS01", "S\u00ad01", "S\u316401"]


@pytest.mark.parametrize("reference", BLANK)
def test_a_blank_reference_names_nobody(shop, stored, reference):
    before = stored()
    answer = shop.post(PATH, {"reference": reference})
    assert (answer.status_code, answer.get_json()["errors"]) == (
        422,
        [{"pointer": "/reference", "detail": "is blank: it names nobody"}],
    )
    assert stored() == before


@pytest.mark.parametrize("reference", UNSEEN)
def test_a_reference_that_looks_like_another_is_refused(shop, stored, reference):
    before = stored()
    answer = shop.post(PATH, {"reference": reference})
    [wrong] = answer.get_json()["errors"]
    assert (answer.status_code, wrong["pointer"]) == (422, "/reference")
    assert wrong["detail"].startswith("has a character that cannot be seen (U+")
    assert stored() == before


def test_the_longest_reference_is_the_shells_and_the_files_too(shop):
    assert shop.post(PATH, {"reference": "S" * 254}).status_code == 200
    assert shop.post(PATH, {"reference": "S" * 255}).get_json()["errors"] == [
        {"pointer": "/reference", "detail": "must have 1 to 254 characters"}
    ]


def test_an_address_that_is_anothers_is_a_conflict_and_names_nobody(shop, stored):
    first = shop.post(PATH, {"reference": "AA1"}).get_json()
    other = shop.post(PATH, {"reference": "AA2", "addresses": {"email": "two@x.example"}}).get_json()
    before = stored()

    for reference in ("AA1", "AA3"):
        answer = shop.post(
            PATH, {"reference": reference, "addresses": {"email": "Two@x.example", "phone": "+49301234567"}}
        )
        problem = answer.get_json()
        assert (answer.status_code, problem["code"]) == (409, "identity_taken")
        assert [each["pointer"] for each in problem["errors"]] == ["/addresses/email"]
        assert other["customer"] not in answer.text
        assert stored() == before
    assert shop.post(PATH, {"reference": "AA1", "addresses": {"email": "one@x.example"}}).get_json() == first


def test_who_came_by_an_address_alone_is_the_same_once_his_reference_comes(shop):
    first = shop.post(PATH, {"addresses": {"email": "six@x.example"}}).get_json()
    assert shop.post(PATH, {"reference": "AA6", "addresses": {"email": "six@x.example"}}).get_json() == first
    assert shop.post(PATH, {"reference": "AA6"}).get_json() == first
