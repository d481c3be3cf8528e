"""Audits of decisions: one that used what did not stand is named, and so is a log that is not the one committed to.

Each test first shows that the untouched run has nothing wrong, so what is found is what was done to it.
"""

import pyarrow as pa
import pytest

from consent import standings
from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.ids import Scope
from consent.permission.standing import applied, from_stored
from personalise import audit_checks, engine
from personalise.runs import log, run
from tests.attacker import Attacker
from tests.campaigns import (
    INTERESTS,
    MAIL,
    PURCHASES,
    TABLES,
    TEXT,
    chunks,
    contacts,
    decisions,
    fill,
    open_run,
    publish,
    willing,
)
from tests.erasing import erase

TWO = [check for check in audit_checks.CHECKS if check.key in {"decision_log", "decisions"}]
EVERYBODY = {"holdout": {"share": 0, "salt": "s"}}
on_sqlite = pytest.mark.parametrize("world", ["sqlite"], indirect=True)


def audited(world):
    """Return what the two checks came upon: findings by check, gaps, and how many decisions were judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    went = judged(TWO, evidence, world.clock)
    findings = [(one.check, one.subject, one.why) for each in went for one in each.findings]
    gaps = [one.why for each in went for one in each.gaps]
    return findings, gaps, sum(each.checked for each in went)


def ran(world, most=20):
    return run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=most)


@pytest.fixture
def done(world):
    """Return a run over 50 willing customers, Ann and Bo, that an audit has nothing to say about."""
    publish(world, campaign=EVERYBODY)
    willing(world, 50)
    ended = ran(world)
    assert audited(world) == ([], [], 2 * 52)
    return ended


def forge(world, who, *scopes):
    """Write a standing row as if a customer had granted scopes, with no statement behind it."""
    with world.store.write() as work:
        row = standings.read(work, [who])[who]
        bits = {scope: world.deployment.desk.catalogues.current(work).scopes[scope].bit for scope in scopes}
        shown = {Scope(scope): 1 for scope in scopes}
        said = world.statement(who, "grant", *shown, notices=shown)
        forged = applied(from_stored(row), said, 0, bits)
        [(leaf,)] = world.rows("SELECT last_leaf FROM standing WHERE customer = :who", who=who)
        standings.save(work, [(who, forged, bytes(leaf))])


def test_runs_and_live_decisions_of_all_kinds_have_nothing_wrong(world):
    publish(world)
    who = fill(world, 60)
    ran(world)
    world.clock.advance(hours=1)
    world.withdraw(who[0], PURCHASES)
    for customer in who[:5]:
        engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
    ran(world)

    assert audited(world) == ([], [], 2 * (62 + 5 + 62))
    world.check_ledger()


# ------------------------------------------------------------------------------------------------------- what stood


def test_a_decision_that_a_forged_standing_let_use_a_withdrawn_category_is_named(world):
    publish(world, campaign=EVERYBODY)
    *_, victim = willing(world, 50)
    world.withdraw(victim, PURCHASES)
    honest = ran(world)
    assert audited(world) == ([], [], 2 * 52)
    assert dict(decisions(world, honest.id)[victim])["chosen"] == -1

    world.clock.advance(days=1)
    forge(world, victim, PURCHASES)
    ended = ran(world)
    last = chunks(world, ended.id)[-1]
    spot = last.customers.index(victim)

    why = f"used {PURCHASES}, which stood as WITHDRAWN at ledger position {last.position}"
    assert dict(decisions(world, ended.id)[victim])["chosen"] == 0
    assert audited(world)[:2] == ([("decisions", f"{last.id}.{spot}", why)], [])


@on_sqlite
def test_a_contact_that_a_forged_standing_allowed_is_named(world):
    publish(world, campaign=EVERYBODY, treatment=TABLES["treatment"][:1])
    victim = willing(world, 3)[1]
    world.withdraw(victim, MAIL)
    forge(world, victim, MAIL)
    made = engine.decide_one(world.deployment, victim, campaign="spring", actor="mia")

    assert made.chosen == "mail"
    assert audited(world)[:2] == (
        [("decisions", made.id, f"used {MAIL}, which stood as WITHDRAWN at ledger position {made.position}")],
        [],
    )


@pytest.mark.usefixtures("done")
def test_a_withdrawal_after_the_decision_does_not_make_it_wrong(world):
    world.clock.advance(seconds=1)
    for who, *_ in contacts(world):
        world.withdraw(who, MAIL, PURCHASES)

    assert audited(world) == ([], [], 2 * 52)
    world.check_ledger()


def test_a_decision_is_judged_under_the_catalogue_that_it_was_made_under(world):
    publish(world, campaign=EVERYBODY)
    willing(world, 30)
    identity = open_run(world.deployment, "spring", actor="mia")
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    spot = body.index('[[scope]]\nscope = "contact:sms:recommendations"')
    end = body.index("[[scope]]", spot + 1)
    unasked = body[spot:end].replace('legal_basis = "consent"', 'legal_basis = "legitimate_interest"')
    world.publish(body[:spot] + unasked.replace('validity = "P24M"\n', "") + body[end:])
    run.advance(world.deployment, identity, most=20)

    permitted = {dict(row)[f"permit:{TEXT}"] for row in decisions(world, identity).values()}
    assert permitted == {0}  # Bo's too, who said nothing
    assert audited(world) == ([], [], 2 * 32)
    world.check_ledger()


@on_sqlite
def test_a_statement_that_cannot_be_read_is_a_gap_and_no_finding(world, done):
    attacker = Attacker(world)
    victim = chunks(world, done.id)[0].customers[-1]
    attacker.do("UPDATE ledger_payload SET sealed = :junk WHERE owner = :who", junk=b"x" * 80, who=victim)
    first = chunks(world, done.id)[0]

    findings, gaps, count = audited(world)
    assert (findings, gaps, count) == (
        [], [f"1 customer of chunk {first.id} said what can't be read any more"], 2 * 52 - 1,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- the log


def rewritten(chunk, change):
    """Return a chunk's bytes after a change to its table."""
    table = change(chunk.table).replace_schema_metadata(chunk.table.schema.metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def cell(name, spot, value):
    """Return a change of one cell."""

    def change(table):
        cells = table[name].to_pylist()
        assert cells[spot] != value
        cells[spot] = value
        at = table.column_names.index(name)
        return table.set_column(at, table.schema.field(name), pa.array(cells, type=table[name].type))

    return change


@on_sqlite
@pytest.mark.parametrize(
    "change",
    [cell("chosen", 5, 1), cell("used", 5, 0), cell("customer", 5, "cus_0"), cell("worth:text", 5, 9.0),
     lambda table: table.slice(0, 19), lambda table: table.take([1, 0, *range(2, 20)])],
    ids=["chosen", "used", "customer", "worth", "one left out", "two exchanged"],
)  # fmt: skip
def test_a_changed_decision_is_found(world, done, change):
    chunk = chunks(world, done.id)[1]
    attacker = Attacker(world)
    attacker.do(
        "UPDATE decision_chunk SET columns = :bytes WHERE id = :id", bytes=rewritten(chunk, change), id=chunk.id
    )

    why = f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    assert ("decision_log", chunk.id, why) in audited(world)[0]


def test_a_changed_decision_whose_root_was_changed_with_it_is_found(world, done):
    chunk = chunks(world, done.id)[0]
    attacker = Attacker(world)
    changed = rewritten(chunk, cell("chosen", 5, 1))
    attacker.do("UPDATE decision_chunk SET columns = :bytes WHERE id = :id", bytes=changed, id=chunk.id)
    table = chunks(world, done.id)[0].table
    root = log.root_of(table, bytes.fromhex(chunk.about["salt"]))
    attacker.do("UPDATE decision_chunk SET root = :root WHERE id = :id", root=root, id=chunk.id)

    why = f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    assert audited(world)[0] == [("decision_log", chunk.id, why)]


@on_sqlite
@pytest.mark.parametrize(
    ("column", "value", "named"),
    [("at", 7, "at"), ("position", 7, "position"), ("campaign", "autumn", "campaign"), ("run", "run_1", "run"),
     ("chunk", 7, "number")],
)  # fmt: skip
def test_a_chunk_that_says_something_else_than_the_ledger_is_found(world, done, column, value, named):
    chunk = chunks(world, done.id)[1]
    Attacker(world).do(f'UPDATE decision_chunk SET "{column}" = :value WHERE id = :id', value=value, id=chunk.id)  # noqa: S608 -- a column from above

    found = [each for each in audited(world)[0] if each[0] == "decision_log"]
    assert found == [("decision_log", chunk.id, f"ledger entry {chunk.seq} commits to another {named}")]


@pytest.mark.parametrize(
    ("column", "value"), [("first", "cus_ffff"), ("last", "cus_ffff"), ("last", "cus_0"), ("customers", 7)]
)
def test_a_chunk_whose_row_hides_decisions_from_their_customers_is_found(world, done, column, value):
    chunk = chunks(world, done.id)[1]
    Attacker(world).do(f'UPDATE decision_chunk SET "{column}" = :value WHERE id = :id', value=value, id=chunk.id)  # noqa: S608 -- a column from above

    held = {"first": chunk.customers[0], "last": chunk.customers[-1], "customers": 20}[column]
    why = f"its row is not what its decisions say: {column} is {value}, and should be {held}"
    assert audited(world) == ([("decision_log", chunk.id, why)], [], 2 * 52)


@on_sqlite
def test_what_a_chunk_is_about_cannot_be_changed_unseen(world, done):
    chunk = chunks(world, done.id)[0]
    metadata = {b"byleave": chunk.table.schema.metadata[b"byleave"].replace(b'"interests"', b'"purchases"')}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, chunk.table.schema.with_metadata(metadata)) as writer:
        writer.write_table(chunk.table.replace_schema_metadata(metadata))
    Attacker(world).do(
        "UPDATE decision_chunk SET columns = :bytes WHERE id = :id", bytes=bytes(sink.getvalue()), id=chunk.id
    )  # fmt: skip

    why = f"the decisions are not the ones that ledger entry {chunk.seq} committed to"
    assert audited(world)[0] == [("decision_log", chunk.id, why)]


def test_two_chunks_that_were_exchanged_are_found(world, done):
    first, second, _ = chunks(world, done.id)
    attacker = Attacker(world)
    for column in ("columns", "root"):
        attacker.exchange("decision_chunk", column, "id", first.id, second.id)

    found = [subject for check, subject, _ in audited(world)[0] if check == "decision_log"]
    assert sorted(found) == sorted([first.id, second.id])


def test_a_chunk_that_was_removed_is_found(world, done):
    chunk = chunks(world, done.id)[1]
    Attacker(world).do("DELETE FROM decision_chunk WHERE id = :id", id=chunk.id)

    why = f"ledger entry {chunk.seq} commits to decisions that are not there"
    assert audited(world) == ([("decision_log", f"ledger_entry {chunk.seq}", why)], [], 2 * 32)


@pytest.mark.parametrize(
    "tampering",
    [
        "DELETE FROM data_use",
        "UPDATE data_use SET purpose = 'service'",
        "UPDATE data_use SET categories = 'browsing'",
        "UPDATE data_use SET customers = 3",
        "UPDATE data_use SET position = position - 9",
        "UPDATE data_use SET decision = 'run_x'",
        "UPDATE data_use SET at = at + 1",
        "UPDATE data_use SET reason = 'a dry run'",
    ],
)
def test_decisions_without_the_record_of_what_they_used_are_found(world, done, tampering):
    made = chunks(world, done.id)
    world.tamper(tampering)
    findings, gaps, _ = audited(world)
    there = []
    for one in made:
        count = sum(used > 0 for used in one.table["used"].to_pylist())
        what = f"its decisions used interests, purchases of {count} customers for recommendations"
        why = f"{what} at position {one.position}, and no use is recorded that says so"
        there.append(("decision_log", one.id, why))
    assert (sorted(findings), gaps, len(there)) == (sorted(there), [], 3)


def test_the_use_by_a_decision_about_one_customer_is_missed_until_he_is_erased(world):
    publish(world, campaign=EVERYBODY)
    one, other = willing(world, 2)
    for customer in (one, other):
        engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
    erase(world, one)
    assert audited(world)[:2] == ([], [])
    world.tamper("DELETE FROM data_use WHERE customer = :other", other=other)
    [found] = audited(world)[0]
    assert (found[0], "no use is recorded that says so" in found[2]) == ("decision_log", True)
    erase(world, other)
    assert audited(world)[:2] == ([], [])


@on_sqlite
def test_a_chunk_that_was_destroyed_is_found_and_the_others_are_still_judged(world, done):
    chunk = chunks(world, done.id)[0]
    Attacker(world).do("UPDATE decision_chunk SET columns = :junk WHERE id = :id", junk=b"junk", id=chunk.id)

    findings, gaps, count = audited(world)
    assert findings == [("decision_log", chunk.id, f"the decisions of chunk {chunk.id} can't be read")]
    assert [chunk.id in gap for gap in gaps] == [True]
    assert count == 2 * 32


@on_sqlite
def test_a_chunk_that_the_ledger_does_not_speak_of_is_found(world, done):
    chunk = chunks(world, done.id)[0]
    copied = "id, run, chunk, campaign, at, first, last, customers, position, root, log, seq, columns"
    Attacker(world).do(
        f"INSERT INTO decision_chunk ({copied}) SELECT 'dec_forged', {copied[4:]} FROM decision_chunk WHERE id = :id",  # noqa: S608 -- columns
        id=chunk.id,
    )  # fmt: skip

    found = [each for each in audited(world)[0] if each[0] == "decision_log"]
    assert found == [("decision_log", "dec_forged", f"ledger entry {chunk.seq} commits to another chunk")]


# ---------------------------------------------------------------------------------------------------- who was addressed


def addressed(world, ended):
    found = audit_checks.addressed(world.deployment, ended)
    return found.count, list(found.unpermitted)


@on_sqlite
def test_nobody_who_was_addressed_had_not_permitted_it(world, done):
    assert addressed(world, done) == (50, [])


def test_who_withdrew_after_his_chunk_was_decided_had_permitted_it(world):
    publish(world, campaign=EVERYBODY)
    who = willing(world, 50)
    identity = open_run(world.deployment, "spring", actor="mia")
    withdrawn: list[object] = []

    def withdraw(done, _total):
        if done == 20:
            world.clock.advance(minutes=1)
            withdrawn.extend(world.withdraw(each, MAIL) for each in (who[0], who[-1]))

    ended = run.advance(world.deployment, identity, progress=withdraw, most=20)

    assert (len(withdrawn), {row[0] for row in contacts(world)}) == (2, set(who[:-1]))
    assert addressed(world, ended) == (49, [])
    assert audited(world)[:2] == ([], [])
    world.check_ledger()


@on_sqlite
def test_who_was_addressed_by_a_forged_standing_is_named(world):
    publish(world, campaign=EVERYBODY)
    victim = willing(world, 30)[10]
    world.withdraw(victim, PURCHASES)
    forge(world, victim, PURCHASES)

    assert addressed(world, ran(world)) == (30, [victim])


@on_sqlite
def test_a_contact_without_a_decision_behind_it_is_named(world, done):
    Attacker(world).do("UPDATE contact SET decision = 'dec_forged.0' WHERE customer = :who", who=contacts(world)[7][0])

    assert addressed(world, done) == (50, [contacts(world)[7][0]])


@on_sqlite
def test_a_live_decision_at_the_same_instant_is_not_the_runs(world, done):
    publish(world, campaign={**EVERYBODY, "audience": "TRUE"}, cap=[])
    engine.decide_one(world.deployment, contacts(world)[0][0], campaign="spring", actor="mia")

    assert len(contacts(world)) == 51
    assert addressed(world, done) == (50, [])


@pytest.mark.usefixtures("done")
@on_sqlite
def test_the_scopes_of_these_tests_are_those_that_the_campaign_needs(world):
    assert {PURCHASES, INTERESTS, MAIL, TEXT} <= {scope for needs in chunks(world)[0].about["needs"] for scope in needs}
