"""Audits of quotas: whatever was given out beyond a limit, out of turn, or counted wrong is named."""

import json

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from personalise import audit_checks, engine
from personalise.campaigns.model import digest_of
from personalise.runs import log, run
from tests.attacker import Attacker
from tests.campaigns import TABLES, fill, open_run, publish, willing
from tests.campaigns import chunks as chunks_of
from tests.flows.test_quotas import BY_MAIL, BY_TEXT, HELD, priced

ONE = [check for check in audit_checks.CHECKS if check.key == "quotas"]


def audited(world):
    """Return what the check came upon: findings, gaps, and how much was judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [went] = judged(ONE, evidence, world.clock)
    return [(one.subject, one.why) for one in went.findings], [one.why for one in went.gaps], went.checked


@pytest.fixture
def busy(world):
    """Return a world in which a run and live decisions used up a volume and a budget, and nothing is wrong."""
    fill(world, 24)
    priced(world)
    for limit in (4, 5):
        publish(
            world, treatment=[BY_MAIL, BY_TEXT], cap=[],
            volume=[{"key": "desk", "treatments": ["mail"], "limit": limit},
                    {"key": "texts", "channels": ["sms"], "limit": 3}],
            campaign={"goodwill_budget": 14, "holdout": HELD},
        )  # fmt: skip
    run.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=6)
    for one in willing(world, 6):
        engine.decide_one(world.deployment, one, campaign="spring", actor="mia")
    assert audited(world) == ([], [], 26 + 6)
    return world


def test_what_a_running_run_has_set_aside_is_counted(world):
    willing(world, 6)
    publish(
        world, treatment=TABLES["treatment"][:1], cap=[], volume=[{"key": "desk", "treatments": ["mail"], "limit": 3}],
        campaign={"holdout": HELD},
    )  # fmt: skip
    identity = open_run(world.deployment, "spring", actor="mia")

    class Stopped(Exception):
        pass

    def progress(_done, _total):
        raise Stopped

    with pytest.raises(Stopped):
        run.advance(world.deployment, identity, most=2, progress=progress)
    assert audited(world)[0] == []
    run.change(world.deployment, identity, run.PAUSED)
    world.tamper("UPDATE quota SET taken = 2")
    [(subject, why)] = audited(world)[0]
    assert (subject, why.partition(";")[0]) == ("spring", "volume:desk of version 1 counts 2")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("UPDATE quota SET taken = taken - 1 WHERE key = 'volume:desk'", "volume:desk of version 2 counts 4; 5"),
        ("UPDATE quota SET taken = 0 WHERE key = 'goodwill_budget'", "goodwill_budget of all versions counts 0; 10000"),
        ("DELETE FROM quota WHERE key = 'volume:desk'", "volume:desk of version 2 counts 0; 5"),
    ],
)
def test_a_count_that_is_not_what_was_given_out_is_found(busy, statement, why):
    busy.tamper(statement)
    assert audited(busy)[0] == [("spring", f"{why} was given out, and 0 is set aside")]


def test_a_count_of_what_nobody_limits_is_found(busy):
    busy.tamper("INSERT INTO quota (campaign, version, key, taken) VALUES ('spring', 9, 'volume:desk', 1)")
    assert audited(busy)[0] == [
        ("spring", "volume:desk of version 9 counts 1; 0 was given out, and 0 is set aside")
    ]  # fmt: skip


def test_more_than_the_limit_is_found_by_the_chunk_that_went_beyond(busy):
    body = busy.rows("SELECT body FROM campaign_version WHERE version = 2")[0][0].replace("limit = 5", "limit = 4")
    Attacker(busy).do(
        "UPDATE campaign_version SET body = :body, hash = :hash WHERE version = 2", body=body, hash=digest_of(body, "")
    )  # fmt: skip
    found = audited(busy)[0]
    with busy.store.read() as work:
        chunks = log.chunk_ids(work)
    assert [why for _, why in found] == ["volume:desk allows 4, and with it 5 was given"] * len(found)
    assert found
    assert {subject for subject, _ in found} <= set(chunks)


def test_who_got_something_out_of_turn_is_found(busy):
    """The run's own record says that a mail ended with more than somebody was worth who got one."""
    [(identity, text)] = busy.rows("SELECT id, quotas FROM run")
    asides = json.loads(text)
    [desk] = [each for each in asides if each[0] == "volume:desk"]
    desk[4] = [desk[4][0] + 1.0, *desk[4][1:]]
    busy.tamper("UPDATE run SET quotas = :text WHERE id = :id", text=json.dumps(asides), id=identity)
    chunks = [chunk.id for chunk in chunks_of(busy, identity)]
    mails = busy.rows("SELECT decision FROM contact WHERE treatment = 'mail'")
    assert sorted(audited(busy)[0]) == sorted(
        (decision, "volume:desk ended before mail, which it was given")
        for (decision,) in mails
        if decision.partition(".")[0] in chunks
    )
    assert mails
