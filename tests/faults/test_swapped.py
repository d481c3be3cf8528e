"""Fault 14: a ciphertext or a data key is exchanged between customers. It opens for neither, and that is reported."""

import traceback

import pytest

from consent.audit.checks import CHECKS
from consent.audit.run import run
from consent.base.errors import KeyLost
from consent.register import history
from consent.vault import memory, seal

PURCHASES, INTERESTS = "purchases", "interests"


@pytest.fixture
def two(world):
    """Return a world in which Ann and Bo permit the same, and of both the same is known."""
    for customer in (world.ann, world.bo):
        world.grant(
            customer, "remember:purchases", "use:purchases:recommendations", "remember:interests",
            "use:interests:recommendations",
        )  # fmt: skip
    world.remember(world.ann, spend_past_year=1.25, main_interest="mens")
    world.remember(world.bo, spend_past_year=9.75, main_interest="womens")
    return world


def recall(world, customer):
    return world.recall([customer], ["spend_past_year"], purpose="recommendations")


def swap(world, table, column, where, one, other):
    """Exchange a column between two rows."""
    query = f"SELECT {column} FROM {table} WHERE {where}"  # noqa: S608 -- our own tables and columns
    [(first,)], [(second,)] = world.rows(query, **one), world.rows(query, **other)
    change = f"UPDATE {table} SET {column} = :cell WHERE {where}"  # noqa: S608 -- as above
    world.tamper(change, cell=second, **one)
    world.tamper(change, cell=first, **other)


def test_memory_exchanged_between_customers_opens_for_neither(two):
    before = [recall(two, customer) for customer in (two.ann, two.bo)]
    where = "customer = :customer AND category = 'purchases'"
    swap(two, "memory", "sealed", where, {"customer": two.ann}, {"customer": two.bo})

    assert before == [[{"spend_past_year": 1.25}], [{"spend_past_year": 9.75}]]
    for customer in (two.ann, two.bo):
        with pytest.raises(KeyLost, match="a record sealed for memory/v1/purchases does not open") as lost:
            recall(two, customer)
        said = "".join(traceback.format_exception(lost.value))
        assert [number for number in ("1.25", "9.75") if number in said] == []


def test_memory_moved_to_another_category_of_the_same_customer_does_not_open(two):
    where = "customer = :customer AND category = :category"
    one = {"customer": two.ann, "category": PURCHASES}
    swap(two, "memory", "sealed", where, one, {**one, "category": INTERESTS})
    with pytest.raises(KeyLost, match="a record sealed for memory/v1/purchases does not open"):
        recall(two, two.ann)


def unreadable(world):
    """Return what an audit says of records that don't open, by customer; it leaves no gap."""
    report = run(world.deployment, [check for check in CHECKS if check.key == "keys"], asked_by="cy")
    assert report.all_gaps == []
    return sorted((str(one.severity), one.subject, one.why) for one in report.all_findings)


def shut(customer, category):
    why = "does not open: it was changed, or stands where it was not sealed for"
    return ("critical", customer, f"in the table memory, what is kept of him as {category} {why}")


def test_an_audit_names_memory_that_was_exchanged_between_customers(two):
    before = unreadable(two)
    where = "customer = :customer AND category = 'purchases'"
    swap(two, "memory", "sealed", where, {"customer": two.ann}, {"customer": two.bo})
    assert (before, unreadable(two)) == ([], sorted(shut(each, PURCHASES) for each in (two.ann, two.bo)))


def test_an_audit_names_memory_that_was_exchanged_between_categories(two):
    where = "customer = :customer AND category = :category"
    one = {"customer": two.ann, "category": PURCHASES}
    swap(two, "memory", "sealed", where, one, {**one, "category": INTERESTS})
    assert unreadable(two) == [shut(two.ann, INTERESTS), shut(two.ann, PURCHASES)]


def test_an_audit_names_memory_of_which_a_byte_was_changed_or_that_was_cut_off(two):
    where = "WHERE customer = :customer AND category = 'purchases'"
    [(sealed,)] = two.rows(f"SELECT sealed FROM memory {where}", customer=two.ann)  # noqa: S608 -- our own words
    flipped = [bytes([*sealed[:spot], sealed[spot] ^ 1, *sealed[spot + 1 :]]) for spot in (0, 20, len(sealed) - 1)]
    for changed in (*flipped, sealed[:5], b""):
        two.tamper(f"UPDATE memory SET sealed = :cell {where}", cell=changed, customer=two.ann)  # noqa: S608 -- as above
        assert unreadable(two) == [shut(two.ann, PURCHASES)]


@pytest.mark.parametrize("held", [b"no JSON", b"[1.25]", b'{"spend_past_year":[1.25]}'])
def test_an_audit_names_memory_that_opens_and_holds_no_attributes(two, held):
    with two.store.write() as work:
        key = memory.data_keys(two.deployment.desk.keys, work, [two.ann])[two.ann]
    sealed = seal.seal(key, "memory/v1/purchases", held, bound=f"byleave/memory/v1\x00{two.ann}\x00purchases")
    where = "WHERE customer = :customer AND category = 'purchases'"
    two.tamper(f"UPDATE memory SET sealed = :cell {where}", cell=sealed, customer=two.ann)  # noqa: S608 -- our own words
    why = "in the table memory, what is kept of him as purchases opens, and holds no attributes"
    assert unreadable(two) == [("critical", two.ann, why)]


def test_a_data_key_exchanged_between_customers_unwraps_for_neither(two):
    swap(two, "data_key", "wrapped", "owner = :owner", {"owner": two.ann}, {"owner": two.bo})
    for customer in (two.ann, two.bo):
        with pytest.raises(KeyLost, match="a data key does not unwrap for its owner"):
            recall(two, customer)
        with pytest.raises(KeyLost):
            two.grant(customer, "contact:email:recommendations")
    report = run(two.deployment, [check for check in CHECKS if check.key == "keys"], asked_by="cy")
    assert sorted(one.subject for one in report.all_findings) == sorted([two.ann, two.bo])


def test_with_data_key_and_memory_both_exchanged_it_does_not_open_either(two):
    swap(two, "data_key", "wrapped", "owner = :owner", {"owner": two.ann}, {"owner": two.bo})
    where = "customer = :customer AND category = 'purchases'"
    swap(two, "memory", "sealed", where, {"customer": two.ann}, {"customer": two.bo})
    with pytest.raises(KeyLost):
        recall(two, two.ann)


def test_payloads_exchanged_between_customers_do_not_open(two):
    query = "SELECT MAX(seq) FROM ledger_payload WHERE owner = :owner"
    [(ann,)], [(bo,)] = two.rows(query, owner=two.ann), two.rows(query, owner=two.bo)
    swap(two, "ledger_payload", "sealed", "seq = :seq", {"seq": ann}, {"seq": bo})
    with two.store.read() as work:
        refused = []
        for customer in (two.ann, two.bo):
            with pytest.raises(Exception) as lost:  # noqa: PT011 -- which of ours it is, is compared below
                history.of_customer(two.deployment.desk, work, customer)
            refused.append(type(lost.value).__name__)
    assert refused == ["LedgerBroken"] * 2
    assert len(two.faults()) >= 4
