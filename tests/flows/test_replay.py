"""Replays: every decision comes out again bit for bit, from inputs that die with their customer or after a while."""

import dataclasses
import hashlib
import hmac
from datetime import timedelta
from itertools import pairwise

import orjson
import pyarrow as pa
import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.clock import to_ms
from consent.base.errors import DecisionUnknown, LedgerBroken
from personalise import audit_checks, engine, held
from personalise.runs import inputs, log, replaying, run
from tests.attacker import Attacker
from tests.builders import START
from tests.campaigns import TABLES, chunks, fill, open_run, publish, willing
from tests.erasing import erase
from tests.flows.test_contact_policy import rule

REPLAY = [check for check in audit_checks.CHECKS if check.key == "replay"]


def audited(world, audit="aud_1"):
    """Return what the check came upon: findings, gaps, and how many decisions were judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock(), audit=audit)
    [went] = judged(REPLAY, evidence, world.clock)
    return [(one.subject, one.why) for one in went.findings], [one.why for one in went.gaps], went.checked


def ran(world, most=20):
    return run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=most)


def replayed(world, chunk, only=None):
    with world.store.write() as work:
        return replaying.replayed(world.deployment, work, chunk, actor="cy", at=world.clock(), only=only)


@pytest.fixture
def shop(world):
    """Return a world with a campaign that goodwill, promises, caps and a holdout have a say in."""
    rule(
        world, cap=[{"key": "any", "limit": 1, "days": 7}], rest=[{"key": "r", "days": 60}],
        goodwill={"opening": 10, "floor": 4, "prices": {"email": 1.5}, "price_of_one": 0.001},
    )  # fmt: skip
    first = {**TABLES["offer"][0], "validity": 14}
    publish(world, campaign={"holdout": {"share": 0.3, "salt": "s"}}, offer=[first, TABLES["offer"][1]])
    return world


def test_runs_and_live_decisions_come_out_the_same_at_any_time(shop):
    who = fill(shop, 60)
    ran(shop)
    shop.clock.advance(hours=1)
    for customer in who[:3]:
        engine.decide_one(shop.deployment, customer, campaign="spring", actor="mia")
    ran(shop)
    shop.clock.advance(days=40)
    publish(shop, campaign={"name": "Another version"})
    shop.withdraw(shop.ann, "use:purchases:recommendations")

    assert audited(shop) == ([], [], 62 + 3 + 62)
    shop.check_ledger()


def test_a_run_late_in_its_turn_is_replayed_at_the_instant_it_began(shop):
    fill(shop, 30)
    identity = open_run(shop.deployment, "spring", actor="mia")
    shop.clock.advance(hours=5)
    run.advance(shop.deployment, identity, most=10)

    assert {chunk.about["decided_at"] for chunk in chunks(shop)} == {to_ms(START)}
    assert audited(shop) == ([], [], 32)


def test_the_replay_hash_does_not_depend_on_the_chunk(shop):
    fill(shop, 30)
    marks = []
    for most in (7, 1_000):
        identity = ran(shop, most).id
        rows = [row for chunk in chunks(shop, identity) for row in chunk.table.to_pylist()]
        marks.append({row["customer"]: row["replay"] for row in rows})
        for table in ("contact", "goodwill", "goodwill_entry", "commitment"):
            shop.tamper(f"DELETE FROM {table}")  # noqa: S608 -- tables from above

    assert marks[0] == marks[1]
    assert {len(mark) for mark in marks[0].values()} == {32}


def test_who_was_erased_is_neither_right_nor_wrong_and_the_rest_replays(shop):
    who = willing(shop, 12)
    ran(shop)
    assert audited(shop) == ([], [], 14)
    shop.clock.advance(days=1)
    erase(shop, who[3])

    [chunk] = chunks(shop)
    found = replayed(shop, chunk)
    assert (found.gone, found.unread, found.differs) == ([chunk.customers.index(who[3])], [], {})
    assert audited(shop) == ([], [], 13)
    shop.check_ledger()


def test_what_was_let_go_of_is_neither_right_nor_wrong(shop):
    willing(shop, 5)
    ran(shop)
    shop.clock.advance(days=91)
    engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    with shop.store.write() as work:
        before = shop.clock() - timedelta(days=90)
        assert [inputs.let_go(work, before=before, at=shop.clock()) for _ in range(2)] == [1, 0]

    first, second = chunks(shop)
    assert replayed(shop, first).why == replaying.LET_GO
    assert replayed(shop, second).same == [0]
    assert audited(shop) == ([], [], 1)
    assert shop.rows("SELECT count(*) FROM decision_input WHERE rows IS NULL") == [(1,)]


def test_what_was_let_go_of_before_its_time_or_before_older_ones_is_found(shop):
    for customer in (shop.ann, shop.bo):
        engine.decide_one(shop.deployment, customer, campaign="spring", actor="mia")
        shop.clock.advance(days=2)
    first, second = chunks(shop)
    drop = "UPDATE decision_input SET rows = NULL, dropped_at = :at WHERE chunk = :chunk"
    found, kept = [], "what they were made from"
    for chunk, at in ((first, first.at + timedelta(milliseconds=1)), (first, shop.clock() + timedelta(days=1)),
                      (second, shop.clock())):  # fmt: skip
        shop.tamper("UPDATE decision_input SET dropped_at = NULL")
        shop.tamper(drop, at=to_ms(at), chunk=chunk.id)
        found.append([each for each in audited(shop)[0] if each[1].startswith(kept)])

    assert found == [
        [(first.id, f"{kept} was let go of 0:00:00.001000 after it was kept")],
        [(first.id, f"{kept} is said to be let go of in the future, at {shop.clock() + timedelta(days=1)}")],
        [(second.id, f"{kept} was let go of, and what older ones were made from was not")],
    ]


def test_where_everything_was_let_go_of_nothing_was_judged_and_that_is_a_gap(shop):
    willing(shop, 5)
    ran(shop)
    shop.clock.advance(days=91)
    with shop.store.write() as work:
        inputs.let_go(work, before=shop.clock() - timedelta(days=90), at=shop.clock())

    why = "can be replayed: what they were made from was let go of"
    assert audited(shop) == ([], [f"none of 7 decisions {why}"], 0)
    parity = [check for check in audit_checks.CHECKS if check.key == "price_parity"]
    evidence = Evidence(store=shop.store, desk=shop.deployment.desk, at=shop.clock(), audit="aud_1")
    [went] = judged(parity, evidence, shop.clock)
    made = "can be made again: what they were made from was let go of"
    assert ([one.why for one in went.gaps], went.checked) == ([f"none of 7 decisions {made}"], 0)


def test_what_is_missing_though_nobody_let_go_of_it_is_found_and_a_gap(shop):
    willing(shop, 5)
    ran(shop)
    [chunk] = chunks(shop)
    shop.tamper("DELETE FROM decision_input")

    why = "what they were made from is not there, though nobody let go of it"
    found = "what its decisions were made from is not there, though nobody let go of it"
    assert audited(shop) == ([(chunk.id, found)], [f"7 decisions of chunk {chunk.id} can't be replayed: {why}"], 0)


@pytest.mark.parametrize("junk", [b"junk", b"\0\0\0\2[]", b""])
def test_a_record_that_cannot_be_read_is_found_and_a_gap(shop, junk):
    ran(shop)
    shop.tamper("UPDATE decision_input SET rows = :junk", junk=junk)
    findings, [gap], count = audited(shop)
    [chunk] = chunks(shop)
    gone = "is not there, though nobody let go of it" if junk.startswith(b"\0") else "can't be read"
    assert (findings, count) == ([(chunk.id, f"what its decisions were made from {gone}")], 0)
    assert gap.startswith("2 decisions of chunk")


def test_a_row_in_anothers_place_or_of_another_chunk_does_not_open(shop):
    who = willing(shop, 3)
    for customer in (*who[:1] * 2, who[1]):
        engine.decide_one(shop.deployment, customer, campaign="spring", actor="mia")
    identities = [chunk.id for chunk in chunks(shop)]
    rows = dict(shop.rows("SELECT chunk, rows FROM decision_input"))
    for to, of in pairwise(identities):
        shop.tamper("UPDATE decision_input SET rows = :rows WHERE chunk = :to", rows=bytes(rows[of]), to=to)

    findings, gaps, count = audited(shop)
    shut = "what it was made from does not open: it was changed, or stands where it was not sealed for"
    assert (sorted(findings), sorted(gaps), count) == (
        sorted((f"{one}.0", shut) for one in identities[:2]),
        sorted(
            f"1 decision of chunk {one} can't be replayed: what they were made from does not open"
            for one in identities[:2]
        ),
        1,
    )


@pytest.mark.parametrize("column", ["chosen", "propensity", "worth:mail", "replay"])
def test_a_log_that_says_something_else_is_named(shop, column):
    willing(shop, 3)
    ran(shop)
    assert audited(shop) == ([], [], 5)
    [chunk] = chunks(shop)
    cells = chunk.table[column].to_pylist()
    cells[2] = b"\1" * 32 if column == "replay" else type(cells[2])(1 - cells[2])
    place = chunk.table.column_names.index(column)
    field = chunk.table.schema.field(column)
    forged = chunk.table.set_column(place, field, pa.array(cells, type=field.type))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, forged.schema) as writer:
        writer.write_table(forged)
    stored = bytes(sink.getvalue())
    Attacker(shop).do("UPDATE decision_chunk SET columns = :bytes WHERE id = :id", bytes=stored, id=chunk.id)

    why = f"decided again, it comes out with another {column}"
    assert audited(shop) == ([(f"{chunk.id}.2", why)], [], 5)


def test_a_sample_is_drawn_from_the_audits_id(shop, monkeypatch):
    monkeypatch.setattr("personalise.audit_checks.replay.SAMPLE", 3)
    for customer in willing(shop, 12):
        engine.decide_one(shop.deployment, customer, campaign="spring", actor="mia")

    def drawn(audit):
        shop.tamper("DELETE FROM data_use")
        assert audited(shop, audit) == ([], [], 3)
        return {reason for (reason,) in shop.rows("SELECT reason FROM data_use")}

    samples = [drawn(audit) for audit in ("aud_1", "aud_1", "aud_2", "aud_3")]
    assert samples[0] == samples[1]
    assert len({frozenset(each) for each in samples}) > 1


def test_opening_is_a_use_that_is_written_down(shop):
    ran(shop)
    [chunk] = chunks(shop)
    shop.tamper("DELETE FROM data_use")
    replayed(shop, chunk, only=1)
    assert shop.rows("SELECT actor, purpose, reason, customers, categories FROM data_use") == [
        ("cy", "recommendations", f"replay of {chunk.id}", 1, "interests,purchases")
    ]


def test_nothing_of_a_customer_stands_in_the_record_in_clear(shop):
    willing(shop, 2)
    ran(shop)
    [(rows,)] = shop.rows("SELECT rows FROM decision_input")
    shape = orjson.loads(bytes(rows)[4 : 4 + int.from_bytes(bytes(rows)[:4])])
    row = b"true,0,0,0"
    assert (b"tea" in bytes(rows), row in bytes(rows), b"cus_" in bytes(rows)) == (False, False, False)
    assert [name for name, _ in shape][:1] == ["main_interest"]


def test_a_replay_hash_says_nothing_without_the_customers_key(sqlite_world):
    """Whoever tries all rows there could be doesn't find the one that it was."""
    publish(sqlite_world)
    made = engine.decide_one(sqlite_world.deployment, sqlite_world.ann, campaign="spring", actor="mia")
    [chunk] = chunks(sqlite_world)
    with sqlite_world.store.read() as work:
        kept = inputs.find(work, chunk.id)
    assert kept is not None
    head = inputs.head(bytes.fromhex(chunk.about["policy"]), START, kept.shape)
    [mark] = chunk.table["replay"].to_pylist()
    guesses = [orjson.dumps([None] * len(kept.shape)), b"[]"]
    assert made.id == f"{chunk.id}.0"
    assert mark not in {hashlib.sha256(head + each).digest() for each in guesses}
    assert mark not in {hmac.digest(bytes(32), head + each, "sha256") for each in guesses}


# --------------------------------------------------------------------------------------------------- one, for the faces


def test_one_decision_of_a_run_is_shown_with_its_funnel_in_the_customers_language(shop):
    who = willing(shop, 4)
    ended = ran(shop)
    [chunk] = chunks(shop, ended.id)
    found = engine.decided(shop.deployment, f"{chunk.id}.{chunk.customers.index(who[0])}", language="de-AT")

    row = chunk.table.to_pylist()[chunk.customers.index(who[0])]
    assert (found.customer, found.propensity, found.position) == (who[0], row["propensity"], chunk.position)
    assert [each.candidate for each in found.verdicts] == ["mail", "text", "letter", "leave_alone"]
    assert found.explanation.startswith("Sie bekommen ")


def test_a_live_decision_is_shown_as_it_was_answered(shop):
    made = engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    shop.clock.advance(days=3)
    publish(shop, campaign={"name": "Another"})
    assert engine.decided(shop.deployment, made.id) == made


def otherwise_numbered(chunk):
    """Return a chunk as a release that knew fewer rules, in another order, would have logged it."""
    rules, keys = chunk.about["rules"], chunk.about["candidates"]
    used = sorted({number for key in keys for number in chunk.table[f"rule:{key}"].to_pylist()}, reverse=True)
    table = chunk.table
    for key in keys:
        numbers = pa.array([used.index(number) for number in table[f"rule:{key}"].to_pylist()], pa.int16())
        table = table.set_column(table.schema.get_field_index(f"rule:{key}"), f"rule:{key}", numbers)
    return dataclasses.replace(chunk, table=table, about={**chunk.about, "rules": [rules[number] for number in used]})


def test_a_decision_is_told_by_the_names_of_its_rules_whatever_their_numbers_were(shop, monkeypatch):
    made = engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    [chunk] = chunks(shop)
    older = otherwise_numbered(chunk)
    assert older.about["rules"] != chunk.about["rules"]
    monkeypatch.setattr(log, "place", lambda *_: (older, 0))
    assert engine.decided(shop.deployment, made.id) == made


def test_a_decision_that_left_by_a_rule_nobody_knows_is_not_told(shop):
    engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    [chunk] = chunks(shop)
    rules = chunk.about["rules"]
    gone = rules[chunk.table["rule:text"][0].as_py()]
    with pytest.raises(LedgerBroken, match=f"{gone}, which its policy does not know"):
        chunk.row(0, [name for name in rules if name != gone])


def test_what_was_held_is_given_without_an_explanation_where_its_rules_are_not_known(shop, monkeypatch):
    engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    [chunk] = chunks(shop)
    newer = dataclasses.replace(chunk, about={**chunk.about, "rules": [*chunk.about["rules"], "of_tomorrow"]})
    [before] = held.decisions(shop.deployment, shop.ann, by=shop.clock())
    monkeypatch.setattr(log, "read", lambda *_: newer)
    [given] = held.decisions(shop.deployment, shop.ann, by=shop.clock())
    assert before["explanation"]
    assert given == before | {"explanation": None}


@pytest.mark.parametrize("name", ["dec_0.0", "{}.1", "{}.00", "{}.-1", "{}.", "{}", "{}.²"])
def test_a_decision_that_is_not_there_is_unknown(shop, name):
    made = engine.decide_one(shop.deployment, shop.ann, campaign="spring", actor="mia")
    named = name.format(made.id.partition(".")[0])
    with pytest.raises(DecisionUnknown):
        engine.decided(shop.deployment, named)
    with pytest.raises(DecisionUnknown):
        engine.replay(shop.deployment, named, actor="cy")


def test_one_decision_is_replayed_and_what_is_gone_says_so(shop):
    [who] = willing(shop, 1)
    made = engine.decide_one(shop.deployment, who, campaign="spring", actor="mia")
    again = engine.replay(shop.deployment, made.id, actor="cy")
    [chunk] = chunks(shop)
    assert (again.outcome, again.columns, again.why) == ("same", (), "")
    assert again.replay == chunk.table["replay"][0].as_py().hex()
    shop.clock.advance(seconds=1)
    erase(shop, who)
    assert engine.replay(shop.deployment, made.id, actor="cy").outcome == "gone"
