"""Customers, enrolled over HTTP."""

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
    shop.post(PATH, {"reference": "S4711", "addresses": {"email": "cleo@shop.example"}})

    for (table,) in sqlite_world.rows("SELECT name FROM sqlite_master WHERE type = 'table'"):
        rows = repr(sqlite_world.rows(f'SELECT * FROM "{table}"')).lower()  # noqa: S608 -- our own tables' names
        assert [name for name in ("s4711", "cleo") if name in rows] == [], table


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
        "/reference": "must have 1 to 200 characters",
        "/addresses/email": "is not an e-mail address",
        "/addresses/phone": "is not a telephone number like +4930123456",
        "/addresses/fax": "is not known here",
        "/id": "is not known here",
    }
    assert stored() == before
