"""Contacts whose time is up are settled by a worker that is killed again and again: each once, none is lost."""

import signal

import pytest

from consent.audit import run as audits
from personalise import audit_checks, engine
from tests.advancing import started
from tests.campaigns import TABLES, publish, willing
from tests.faults.stepping import settle as settle_and_die
from tests.flows.test_responses import rule

MANY = 12
TWO_WEEKS = {"window_days": 14, "silence": "no"}
STATE = """
    SELECT (SELECT count(*) FROM contact WHERE waited_until IS NOT NULL),
           (SELECT count(*) FROM goodwill_entry WHERE kind = 'ignored')
"""


@pytest.mark.timeout(300)
def test_a_worker_that_is_killed_anywhere_has_settled_whole_pages_alone(world):
    rule(world)
    free = {"holdout": {"share": 0, "salt": "s"}}
    publish(world, objective=TWO_WEEKS, campaign=free, treatment=TABLES["treatment"][:1], cap=[])
    for who in willing(world, MANY):
        engine.decide_one(world.deployment, who, campaign="spring", actor="mia")
    at = world.clock.advance(days=14)
    world.store.close()

    ends, states = [], []
    for step in range(150, 4_000, 150):
        process = started(settle_and_die, world.url, world.keyring, at, step)
        process.join()
        ends.append(process.exitcode)
        [state] = world.rows(STATE)
        states.append(state)
        if process.exitcode == 0:
            break

    assert (set(ends[:-1]), ends[-1], states[-1]) == ({-signal.SIGKILL}, 0, (MANY, MANY))
    assert [settled == booked and settled % 2 == 0 for settled, booked in states] == [True] * len(states)
    assert len({state for state in states if 0 < state[0] < MANY}) > 0
    checks = [each for each in audit_checks.CHECKS if each.key == "goodwill"]
    assert audits.run(world.deployment, checks, asked_by="mia").status == "passed"
    world.check_ledger()
