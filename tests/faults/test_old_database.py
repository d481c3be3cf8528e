# ruff: noqa: S608 -- every query here names our own tables and columns, from the recorded deployment
"""Fault 17: a database as version 0.1.0 left it is migrated. Bytes, roots, triggers and grants are what they were.

Its rows were written down by that version's own code, so what is written differently today can't hide a difference.
"""

import base64
import json
import secrets
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.base import grants, schema
from consent.base.grants import Roles
from consent.base.ids import CustomerId
from consent.base.store import Store
from consent.deployment import open_deployment
from consent.ledger import log, stored, verify
from consent.register import history, proving
from tests.erasing import check, erase
from tests.world import World

RECORDED = json.loads((Path(__file__).parents[1] / "aged" / "0003.json").read_text(encoding="utf-8"))
TABLES = {name: table for name, table in RECORDED["tables"].items() if name != "outcome"}
"""All that it had but the table of outcomes, which nothing had ever written to: 0014 made it anew."""
FIRST = ("customer", "ledger_log", "audit_run")
"""What other tables point to."""
MAIL = "contact:email:recommendations"


def cell(value):
    return base64.b64decode(value["b"]) if isinstance(value, dict) else value


def recorded(table):
    return sorted([tuple(cell(value) for value in row) for row in TABLES[table]["rows"]], key=repr)


def quoted(table):
    return ", ".join(f'"{column}"' for column in TABLES[table]["columns"])


@pytest.fixture
def aged(maker, clock, tmp_path):
    """Return a world on a database of revision 0003, with the rows that version 0.1.0 wrote; not migrated yet."""
    url, keyring = maker.empty("aged"), tmp_path / "keyring.json"
    keyring.touch(mode=0o600)
    keyring.write_text(json.dumps(RECORDED["keyring"]), encoding="utf-8")
    clock.advance(hours=1)
    with closing(Store(url)) as store:
        schema.upgrade(store, "0003")
        with store.write() as work:
            for table in (*FIRST, *sorted(TABLES.keys() - set(FIRST))):
                places = ", ".join(f":c{spot}" for spot in range(len(TABLES[table]["columns"])))
                rows = [{f"c{spot}": value for spot, value in enumerate(row)} for row in recorded(table)]
                if rows:
                    work.connection.execute(sa.text(f"INSERT INTO {table} ({quoted(table)}) VALUES ({places})"), rows)
    world = World(
        deployment=open_deployment(database_url=url, keyring=keyring, clock=clock), clock=clock, url=url,
        keyring=keyring, ann=CustomerId(RECORDED["ann"]), bo=CustomerId(RECORDED["bo"]),
    )  # fmt: skip
    yield world
    world.store.close()
    maker.dropped(url)


def held(world):
    """Return every recorded row as it stands now, but for columns that came later."""
    return {
        table: sorted(world.rows(f"SELECT {quoted(table)} FROM {table}"), key=repr)
        for table in TABLES
    }  # fmt: skip


def triggers(world):
    found = world.rows(
        "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2"
        if world.dialect == "sqlite"
        else "SELECT tgrelid::regclass::text, tgname, tgenabled, pg_get_triggerdef(oid) FROM pg_trigger "
        "WHERE NOT tgisinternal ORDER BY 1, 2"
    )
    return [each for each in found if each[0] in TABLES]


def root(world):
    with world.store.read() as work:
        return [(each.origin, log.head(work).root) for each in stored.logs(work)]


def revisions():
    every = [f"{number:04}" for number in range(1, int(schema.newest()) + 1)]
    return every[every.index("0003") + 1 :]


def test_every_row_trigger_and_root_is_what_it_was_after_each_migration(aged):
    before = held(aged), triggers(aged)
    assert before[0] == {table: recorded(table) for table in TABLES}
    for revision in revisions():
        schema.upgrade(aged.store, revision)
        assert (held(aged), triggers(aged)) == before
    newest = root(aged)
    for revision in ["0003", *revisions()][-2::-1]:
        schema.downgrade(aged.store, revision)
        assert (held(aged), triggers(aged)) == before
    schema.upgrade(aged.store)

    assert (held(aged), triggers(aged), root(aged)) == (*before, newest)
    aged.check_ledger()


def test_the_ledger_verifies_under_the_key_that_it_always_had(aged):
    schema.upgrade(aged.store)
    with aged.store.read() as work:
        vkey = proving.verifier_key(aged.deployment.desk, work)
    found = verify.verify(aged.store, vkey=vkey)
    assert (found.ok, found.size, found.anchored) == (True, 8, 8)


def test_what_was_said_kept_and_decided_is_there_and_goes_on(aged):
    schema.upgrade(aged.store)
    check(aged)
    with aged.store.read() as work:
        said = [len(history.of_customer(aged.deployment.desk, work, each)) for each in (aged.ann, aged.bo)]
    recalled = aged.recall([aged.ann], ["spend_past_year", "main_interest"], purpose="recommendations")
    before = [aged.reason(aged.ann, MAIL), aged.reason(aged.bo, MAIL), aged.reason(aged.ann, "contact:post:newsletter")]
    aged.grant(aged.bo, MAIL)

    assert said == [2, 3]
    assert recalled == [{"spend_past_year": 12.5, "main_interest": "mens"}]
    assert before == ["PERMIT", "REFUSED", "WITHDRAWN"]
    assert aged.reason(aged.bo, MAIL) == "PERMIT"
    aged.check_ledger()


def test_whoever_was_enrolled_then_can_be_erased_now(aged):
    schema.upgrade(aged.store)
    done = erase(aged, aged.ann)
    assert done.deleted == {
        "data_key": 1, "ledger_payload": 2, "memory": 2, "identity": 2, "web_session": 1, "link": 1,
    }  # fmt: skip
    aged.check_ledger()


def test_grants_are_what_they_were(aged):
    if aged.dialect == "sqlite":
        return  # it has none
    mark = secrets.token_hex(4)
    roles = Roles(application=f"app_{mark}", auditor=f"auditor_{mark}")
    rights = """
        SELECT c.relname, a.grantee::regrole::text, a.privilege_type FROM pg_class c, aclexplode(c.relacl) a
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, 2, 3
    """
    grants.apply(aged.store, roles)
    try:
        before = [each for each in aged.rows(rights) if each[0] in TABLES]
        schema.upgrade(aged.store)
        after = [each for each in aged.rows(rights) if each[0] in TABLES]
        assert len({each[1] for each in before}) == 3
        assert after == before
    finally:
        with aged.store.engines.write.begin() as connection:
            for role in (roles.application, roles.auditor):
                connection.execute(sa.text(f"DROP OWNED BY {role}"))
                connection.execute(sa.text(f"DROP ROLE {role}"))
