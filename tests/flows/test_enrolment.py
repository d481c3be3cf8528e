"""Who is enrolled, and how he is found again."""

import pytest
import sqlalchemy as sa

from consent.base.errors import CustomerUnknown, RequestUnfit
from consent.register import customers
from consent.vault import seal
from tests.world import asked_scopes


def enrolled(world, *identities):
    with world.store.write() as work:
        return customers.enrol(world.deployment.desk, work, identities, at=world.clock())


def found(world, value, **kind):
    with world.store.read() as work:
        return customers.find(world.deployment.desk, work, value, **kind)


def test_ann_permits_what_she_was_asked_and_bo_nothing_of_it(world):
    with world.store.read() as work:
        asked = asked_scopes(world.deployment.desk.catalogues.current(work))

    assert {world.reason(world.ann, scope) for scope in asked} == {"PERMIT"}
    assert {world.reason(world.bo, scope) for scope in asked} == {"NO_RECORD"}
    world.check_ledger()


def test_a_customer_is_found_by_each_of_his_identities_and_by_his_id(world):
    [customer] = enrolled(world, {"reference": "H7", "email": "Cleo@Shop.example"})

    assert [
        found(world, "H7"),
        found(world, " cleo@shop.EXAMPLE ", kind="email"),
        found(world, customer),
        found(world, customer, kind="email"),
    ] == [customer] * 4


def test_who_is_known_already_keeps_his_id(world):
    first = enrolled(world, {"reference": "H7"}, {"reference": "H8"})
    again = enrolled(world, {"reference": "H8"}, {"reference": "H9"}, {"reference": "H7"})

    assert (again[0], again[2], len({*first, *again})) == (first[1], first[0], 3)
    world.check_ledger()


def test_one_customer_twice_in_a_batch_is_one_customer(world):
    one, other, same = enrolled(
        world, {"reference": "H7"}, {"reference": "H8"}, {"reference": "H7", "email": "h7@x.example"}
    )
    assert (one == same, one == other, found(world, "h7@x.example", kind="email")) == (True, False, one)


def test_an_identity_that_comes_later_leads_to_the_same_customer(world):
    [customer] = enrolled(world, {"reference": "H7"})
    [again] = enrolled(world, {"reference": "H7", "email": "h7@x.example"})

    assert (again, found(world, "h7@x.example", kind="email")) == (customer, customer)


def test_the_kind_is_part_of_an_identity(world):
    by_reference, by_email = enrolled(world, {"reference": "x@y.example"}, {"email": "x@y.example"})
    assert (found(world, "x@y.example"), found(world, "x@y.example", kind="email")) == (by_reference, by_email)


def test_an_id_that_nobody_has_is_named(world):
    with pytest.raises(CustomerUnknown, match="nobody enrolled has the id cus_01a1fb67180070008000000000000000"):
        found(world, "cus_01a1fb67180070008000000000000000")


@pytest.mark.parametrize("value", ["NOBODY", "", "' OR 1=1 --", "cus_"])
def test_nobody_is_found_by_what_nobody_has_and_the_value_is_not_repeated(world, value):
    with pytest.raises(CustomerUnknown) as unknown:
        found(world, value)
    assert str(unknown.value) == "No such customer: nobody enrolled has this reference"


def test_no_identity_can_be_read_in_the_database(world):
    enrolled(world, {"reference": "canary-reference", "email": "canary@shop.example"})
    tables = ("customer", "identity", "data_key", "standing", "memory", "ledger_payload", "ledger_entry", "idempotency")
    cells = [str(cell) for table in tables for row in world.rows(f"SELECT * FROM {table}") for cell in row]  # noqa: S608 -- our own tables

    assert (len(cells) > 20, [cell for cell in cells if "canary" in cell]) == (True, [])


def test_each_customer_has_a_data_key_of_his_own(world):
    enrolled(world, {"reference": "H7"}, {"reference": "H8"})
    keys = world.rows("SELECT owner, wrapped FROM data_key")

    assert {owner for owner, _ in keys} == {"log", *(who for (who,) in world.rows("SELECT id FROM customer"))}
    assert len({wrapped for _, wrapped in keys}) == len(keys)
    world.check_ledger()


def test_customers_are_walked_in_order_a_few_at_a_time(world):
    enrolled(world, *({"reference": f"H{number}"} for number in range(7)))
    everybody = sorted(who for (who,) in world.rows("SELECT id FROM customer"))
    walked, last = [], ""
    with world.store.read() as work:
        assert customers.count(work) == 9
        while some := customers.after(work, last, 4):
            walked.append(some)
            last = some[-1]

    assert ([len(some) for some in walked], [one for some in walked for one in some]) == ([4, 4, 1], everybody)


def test_enrolling_makes_no_entry(world):
    size = world.size()
    enrolled(world, {"reference": "H7"})
    assert world.size() == size
    world.check_ledger()


@pytest.mark.parametrize(("reference", "why"), [
    ("\u3000 ", "is blank: it names nobody"),
    ("H\u200b7", "has a character that cannot be seen (U+200B): two names would look the same"),
])  # fmt: skip
def test_a_reference_that_nobody_sees_joins_nobody(world, reference, why):
    with pytest.raises(RequestUnfit) as refused:
        enrolled(world, {"reference": "H7"}, {"reference": reference, "email": "h7@x.example"})
    assert refused.value.places == (("/1/reference", why),)
    with pytest.raises(CustomerUnknown):
        found(world, "H7")


def test_who_was_enrolled_by_such_a_name_before_is_still_found(world):
    [customer] = enrolled(world, {"reference": "H7"})
    blind = seal.blind(world.deployment.desk.keys.index_key, "reference", "H\u200b7")
    with world.store.write() as work:
        work.connection.execute(
            sa.text("UPDATE identity SET blind = :b WHERE customer = :c"), {"b": blind, "c": customer}
        )
    assert found(world, "H\u200b7") == customer
