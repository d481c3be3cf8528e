"""Audits of promises: what was changed, put in or taken away is named by its customer and its family."""

from datetime import timedelta

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.register import merging
from personalise import audit_checks, engine
from tests.builders import START
from tests.campaigns import willing
from tests.erasing import erase
from tests.flows.test_contact_policy import campaign, offers

CHECK = [check for check in audit_checks.CHECKS if check.key == "commitments"]
LATER = timedelta(days=20)


def audited(world):
    """Return what the check came upon, by subject, and how much it judged."""
    [went] = judged(CHECK, Evidence(store=world.store, desk=world.deployment.desk, at=world.clock()), world.clock)
    assert not went.gaps
    return sorted((one.subject, one.why) for one in went.findings), went.checked


def decide(world, *customers, key="first"):
    return [engine.decide_one(world.deployment, one, campaign=key, actor="mia").id for one in customers]


@pytest.fixture
def told(world):
    """Return a world, its three customers, and the decisions that promised each of them something, older and newer."""
    campaign(world, "first", offer=offers(9.5))
    who = sorted(willing(world, 3))
    older = decide(world, *who)
    world.clock.set(START + LATER)
    newer = decide(world, *who)
    assert audited(world) == ([], 3)
    return world, who, older, newer


@pytest.mark.parametrize(
    ("column", "value"),
    [("offer", "other"), ("terms", "sha256:0"), ("grade", 7), ("campaign", "other"), ("made_at", 5), ("until", 6)],
)
def test_a_promise_that_was_changed_is_found(told, column, value):
    world, [ann, *_], _, _ = told
    [(was,)] = world.rows(f"SELECT {column} FROM commitment WHERE customer = :who", who=ann)  # noqa: S608 -- a column from above
    world.tamper(f"UPDATE commitment SET {column} = :value WHERE customer = :who", value=value, who=ann)  # noqa: S608 -- the same

    found, _ = audited(world)
    assert found == [(f"commitment {ann} spring", f"{column} is {value}, and by the decision that promised it {was}")]


def test_a_promise_that_was_taken_away_is_found(told):
    world, [ann, *_], _, [newer, *_] = told
    world.tamper("DELETE FROM commitment WHERE customer = :who", who=ann)

    found, judged_ = audited(world)
    chunks = {newer.partition(".")[0], *(row[0] for row in world.rows("SELECT id FROM decision_chunk"))}
    assert judged_ == 2
    assert {subject for subject, _ in found} == {f"commitment {ann} spring"}
    assert all(why.endswith("promised range, and nothing stands") and why.split()[1] in chunks for _, why in found)


def test_an_older_promise_in_the_place_of_a_newer_one_is_found(told):
    world, [ann, *_], [older, *_], [newer, *_] = told
    days = 14 * 86_400_000
    at = int(START.timestamp() * 1000)
    world.tamper(
        "UPDATE commitment SET decision = :older, made_at = :at, until = :until WHERE customer = :who",
        older=older, at=at, until=at + days, who=ann,
    )  # fmt: skip

    why = f"decision {newer.partition('.')[0]} promised range, and what stands is older"
    assert audited(world)[0] == [(f"commitment {ann} spring", why)]


def test_a_promise_that_nobody_made_is_found(told):
    world, [ann, bo, _], [_, other, _], [newer, *_] = told
    copy = (
        "INSERT INTO commitment SELECT customer, '{family}', offer, terms, grade, campaign, '{decision}', made_at, "
        "until FROM commitment WHERE customer = :who AND family = 'spring'"
    )
    for family, decision in (("gone", "dec_none.0"), ("far", f"{newer.partition('.')[0]}.9"), ("bo", other)):
        world.tamper(copy.format(family=family, decision=decision), who=ann)

    assert bo != ann
    found = dict(audited(world)[0])
    assert found == {
        f"commitment {ann} bo": f"decision {other}, which it names, is another customer's",
        f"commitment {ann} far": f"there is no decision {newer.partition('.')[0]}.9, which it names",
        f"commitment {ann} gone": "no decision is behind it",
    }


def test_a_promise_of_a_decision_that_left_its_customer_alone_is_found(told):
    world, [ann, *_], _, _ = told
    campaign(world, "none", offer=offers(9.5, validity=0))
    [plain] = decide(world, ann, key="none")
    world.tamper("UPDATE commitment SET decision = :plain WHERE customer = :who", plain=plain, who=ann)

    [(_, why), *_] = audited(world)[0]
    assert why == f"decision {plain}, which it names, promised nothing"


def test_what_went_with_an_erasure_is_not_missed(told):
    world, [ann, *_], _, _ = told
    erase(world, ann)
    assert audited(world) == ([], 2)


def test_who_was_joined_with_another_keeps_the_better_promise_of_both(world):
    campaign(world, "low", offer=offers(9.5, grade=1))
    campaign(world, "high", offer=offers(8.0, grade=2))
    ann, bo, cy = sorted(willing(world, 3))
    decide(world, ann, key="high")
    world.clock.advance(days=1)
    decide(world, bo, cy, key="low")
    for merged, into in ((ann, bo), (bo, cy)):
        with world.store.write() as work:
            merging.merge(world.deployment.desk, work, merged, into, actor="cy", at=world.clock())
    [(decision,)] = world.rows("SELECT campaign FROM commitment WHERE customer = :who", who=cy)
    assert decision == "high"
    assert audited(world) == ([], 3)
