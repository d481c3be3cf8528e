"""What stands for a customer is what he said: a row that says otherwise, or a word that went missing, is named."""

import sqlite3
import struct
from contextlib import closing

import pytest

from consent.audit.checks import CHECKS
from consent.audit.run import run
from tests.attacker import Attacker

KEEP, USE, NEWS = "remember:browsing", "use:browsing:recommendations", "contact:email:newsletter"
RECORD = struct.Struct("<BBHIQ")
GIVEN, WITHDRAWN, FOREVER = 3, 5, 2**63 - 1


def named(world):
    """Return whom the check `standing` names, and why; it has looked at everybody."""
    report = run(world.deployment, [check for check in CHECKS if check.key == "standing"], asked_by="cy")
    assert (report.all_gaps, report.checks[0].checked) == ([], world.rows("SELECT count(*) FROM customer")[0][0])
    assert {(one.check, str(one.severity)) for one in report.all_findings} <= {("standing", "critical")}
    return [(one.subject, one.why) for one in report.all_findings]


@pytest.fixture
def attacker(world):
    """Return an attacker on a world in which Bo permits e-mail and has withdrawn what he permitted of browsing."""
    world.grant(world.bo, USE, NEWS)
    world.withdraw(world.bo, USE)
    assert named(world) == []
    return Attacker(world)


def standing(world, customer, column):
    [(value,)] = world.rows(f"SELECT {column} FROM standing WHERE customer = :customer", customer=customer)  # noqa: S608 -- a column's name
    return value


def forge(attacker, customer, **columns):
    for column, value in columns.items():
        attacker.do(f"UPDATE standing SET {column} = :value WHERE customer = :who", value=value, who=customer)  # noqa: S608 -- as above


def spoken(world, customer):
    """Return the positions of what a customer said."""
    rows = world.rows("SELECT seq FROM ledger_payload WHERE owner = :who ORDER BY seq", who=customer)
    return [seq for (seq,) in rows]


def bit_of(world, scope):
    [(bit,)] = world.rows("SELECT bit FROM scope_bit WHERE scope = :scope", scope=scope)
    return bit


def test_a_permission_that_nobody_gave_is_named_with_its_scope(world, attacker):
    bit = bit_of(world, USE)
    scopes = bytearray(standing(world, world.bo, "scopes"))
    status, flags, notice, expires, position = RECORD.unpack_from(scopes, bit * RECORD.size)
    RECORD.pack_into(scopes, bit * RECORD.size, GIVEN, flags, notice, expires, position)
    mask = int.from_bytes(standing(world, world.bo, "mask"), "little") | 1 << bit
    forge(attacker, world.bo, scopes=bytes(scopes), mask=mask.to_bytes(8, "little"))

    assert (world.reason(world.bo, USE), status) == ("PERMIT", WITHDRAWN)  # so much would it have been worth
    assert (flags, expires) == (0, 2**32 - 1)
    rest = f"(notice {notice}, for ever, by entry {position})"
    why = f"the row is not what was said: {USE} given {rest}, said withdrawn {rest}; the mask is wrong in {USE}"
    assert named(world) == [(world.bo, why)]


def test_a_bit_of_the_mask_alone_is_named(world, attacker):
    mask = int.from_bytes(standing(world, world.bo, "mask"), "little") ^ 1 << bit_of(world, KEEP)
    forge(attacker, world.bo, mask=mask.to_bytes(8, "little"))

    assert named(world) == [(world.bo, f"the row is not what was said: the mask is wrong in {KEEP}")]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("next_expiry", FOREVER, "next expiry is never, should be {was}"),
        ("states", 4, "states is 4, should be {was}"),
        ("paused_until", 77, "paused until is 77, should be {was}"),
        ("last_said", 77, "last said is 77, should be {was}"),
        ("counter", 3, "counter is 3, should be {was}"),
        ("born_by", 77, "born by is 77, should be never"),
        ("gpc", 5, "gpc is 5, should be {was}"),
        ("last_leaf", bytes(32), "last leaf is not that of his last statement"),
    ],
)
def test_every_other_column_counts(world, attacker, column, value, said):
    was = standing(world, world.ann, column)
    forge(attacker, world.ann, **{column: value})

    assert named(world) == [(world.ann, "the row is not what was said: " + said.format(was=was))]


def test_a_row_of_another_shape_is_named(sqlite_world):
    attacker = Attacker(sqlite_world)
    forge(attacker, sqlite_world.ann, scopes=b"odd")
    forge(attacker, sqlite_world.bo, scopes="text")

    why = "the row is not what was said: its columns are not of their types"
    assert sorted(named(sqlite_world)) == sorted([(sqlite_world.ann, why), (sqlite_world.bo, why)])


def test_a_status_that_does_not_exist_is_named(world, attacker):
    forge(attacker, world.ann, scopes=b"\xff" * 16 + bytes(standing(world, world.ann, "scopes"))[16:])

    [(who, why)] = named(world)
    assert (who, "status 255" in why) == (world.ann, True)


def test_scopes_behind_the_last_that_he_answered_may_be_written_out(world, attacker):
    nothing = RECORD.pack(0, 0, 0, 2**32 - 1, 0)
    forge(attacker, world.bo, scopes=bytes(standing(world, world.bo, "scopes")) + nothing)

    assert named(world) == []


def test_a_customer_without_a_row_is_named(world, attacker):
    attacker.do("DELETE FROM standing WHERE customer = :bo", bo=world.bo)

    assert named(world) == [(world.bo, "there is no standing row of this customer")]


def test_a_withdrawal_cut_out_of_a_customers_history_is_named(world, attacker):
    [(seq,)] = world.rows("SELECT max(seq) FROM ledger_payload WHERE owner = :bo", bo=world.bo)
    attacker.do("DELETE FROM ledger_payload WHERE seq = :seq", seq=seq)

    [(who, why)] = named(world)
    assert (who, "counter is 2, should be 1" in why) == (world.bo, True)


def test_a_statement_cut_out_of_the_middle_leaves_a_gap_in_the_count(world, attacker):
    world.grant(world.bo, KEEP)
    [(seq,)] = world.rows("SELECT min(seq) FROM ledger_payload WHERE owner = :bo", bo=world.bo)
    attacker.do("DELETE FROM ledger_payload WHERE seq = :seq", seq=seq)

    assert named(world)[0] == (world.bo, f"entry {seq + 1} should be his statement 1, and is 2")


def test_payloads_exchanged_between_customers_do_not_open(world, attacker):
    ann, bo = ([row[0] for row in world.rows("SELECT seq FROM ledger_payload WHERE owner = :who", who=who)]
               for who in (world.ann, world.bo))  # fmt: skip
    attacker.exchange("ledger_payload", "sealed", "seq", ann[0], bo[0])

    assert sorted(named(world)) == sorted(
        (who, f"the payload of entry {seq} does not open under its owner's key")
        for who, seq in ((world.ann, ann[0]), (world.bo, bo[0]))
    )


def test_a_payload_given_to_another_customer_does_not_open(world, attacker):
    [first] = spoken(world, world.ann)
    attacker.do("UPDATE ledger_payload SET owner = :bo WHERE owner = :ann", bo=world.bo, ann=world.ann)

    assert (world.bo, f"the payload of entry {first} does not open under its owner's key") in named(world)
    assert world.ann in {who for who, _ in named(world)}


def test_a_payload_moved_to_another_entry_is_not_the_one_that_was_committed_to(world, attacker):
    [one, other] = [seq for (seq,) in world.rows("SELECT seq FROM ledger_payload WHERE owner = :bo", bo=world.bo)]
    attacker.exchange("ledger_payload", "sealed", "seq", one, other)

    assert named(world) == [
        (world.bo, f"the payload of entry {seq} is not the one that its entry commits to") for seq in (one, other)
    ]


def test_a_payload_whose_entry_is_gone_is_named(world, attacker):
    [first] = spoken(world, world.ann)
    attacker.do("DELETE FROM ledger_entry WHERE seq = :seq", seq=first)

    assert named(world) == [(world.ann, f"the payload of entry {first} stands without an entry that could name it")]


def test_a_customer_whose_key_is_gone_is_named(world, attacker):
    [first] = spoken(world, world.ann)
    attacker.do("DELETE FROM data_key WHERE owner = :ann", ann=world.ann)

    why = f"the payload of entry {first} can't be opened: there is no data key of its owner"
    assert named(world) == [(world.ann, why)]


def test_data_keys_exchanged_between_customers_open_nothing(world, attacker):
    attacker.exchange("data_key", "wrapped", "owner", world.ann, world.bo)

    assert {who for who, _ in named(world)} == {world.ann, world.bo}


def test_what_belongs_to_nobody_enrolled_is_named(sqlite_world):
    with closing(sqlite3.connect(sqlite_world.url.removeprefix("sqlite:///"))) as connection, connection:
        # On a connection of one's own no foreign key holds.
        connection.execute("UPDATE ledger_payload SET owner = 'cus_zz' WHERE owner = ?", (sqlite_world.ann,))
        connection.execute("UPDATE standing SET customer = 'cus_a' WHERE customer = ?", (sqlite_world.bo,))

    found = named(sqlite_world)
    assert ("cus_zz", "1 payload belongs to somebody who is not enrolled") in found
    assert ("cus_a", "a standing row belongs to somebody who is not enrolled") in found
    assert (sqlite_world.bo, "there is no standing row of this customer") in found
