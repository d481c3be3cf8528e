"""The check `versions`: what was changed, slipped in or deleted is found, and what was changed decides for nobody."""

import hashlib

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.base.errors import LedgerBroken
from personalise import audit_checks, engine, shelf
from personalise.campaigns.reading import parse_campaign
from personalise.life import approving
from tests.attacker import Attacker
from tests.builders import toml
from tests.campaigns import tables, willing
from tests.flows.test_contact_policy import rule

WEEK = {"cap": [{"key": "week", "limit": 1, "days": 7}]}


def audited(world):
    """Return what the check came upon, and how much was judged."""
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [found] = judged([one for one in audit_checks.CHECKS if one.key == "versions"], evidence, world.clock)
    return [(one.subject, one.why) for one in found.findings], [one.why for one in found.gaps], found.checked


def put(world, **changes):
    """Publish a version as a marketer does: the ledger tells of it."""
    with world.store.write() as work:
        read = parse_campaign(toml(tables(**changes)), "toml", world.deployment.desk.catalogues.current(work))
        return approving.publish(world.deployment.desk, work, read, actor="mia", four_eyes=False, at=world.clock())


@pytest.fixture
def world(world):
    put(world)
    put(world, cap=[])
    rule(world, **WEEK)
    rule(world, weight_of_benefit=0.5, **WEEK)
    return world


def test_what_was_published_and_nobody_changed_is_found_well(world):
    assert audited(world) == ([], [], 4)


def test_a_version_whose_bytes_were_changed_is_found_and_decides_for_nobody(world):
    [who] = willing(world, 1)
    Attacker(world).do("UPDATE campaign_version SET body = replace(body, '0.05', '0.06') WHERE version = 2")
    assert audited(world)[0] == [("campaign_version spring 2", "its bytes do not hash to its hash")]
    with pytest.raises(LedgerBroken, match="version 2 of campaign spring was changed since it was published"):
        engine.decide_one(world.deployment, who, campaign="spring", actor="mia")


def test_so_is_one_whose_hash_was_changed_with_its_bytes(world):
    attacker, body = Attacker(world), "changed"
    attacker.do("UPDATE campaign_version SET body = :body, hash = :hash WHERE version = 2",
                body=body, hash=hashlib.sha256(body.encode()).digest())  # fmt: skip
    [(subject, why)] = audited(world)[0]
    assert (subject, why.endswith("published other bytes")) == ("campaign_version spring 2", True)


def test_a_version_that_was_slipped_in_is_found(world):
    Attacker(world).do(
        "INSERT INTO campaign_version (key, version, hash, body, format, published_at, published_by, compiled)"
        " SELECT key, 3, hash, body, format, 0, published_by, compiled FROM campaign_version WHERE version = 1"
    )
    assert audited(world)[0] == [("campaign_version spring 3", "no entry of the ledger published it")]


def test_a_version_that_is_gone_or_is_said_to_be_somebody_elses_is_found(world):
    attacker = Attacker(world)
    attacker.do("DELETE FROM campaign_version WHERE version = 1")
    attacker.do("UPDATE campaign_version SET published_by = 'otto'")
    found = audited(world)[0]
    assert [(subject, why.partition(" entry ")[0]) for subject, why in found] == [
        ("campaign_version spring 2", "it is said to be published by somebody else than"),
        ("campaign_version spring 1", found[1][1]),
    ]
    assert found[1][1].endswith("published it, and it is not there")


@pytest.mark.parametrize("hashed", [False, True])
def test_a_contact_policy_that_was_changed_is_found(world, hashed):
    attacker, [(body,)] = Attacker(world), world.rows("SELECT body FROM contact_policy_version WHERE version = 2")
    new = body.replace('"days": 7', '"days": 70')
    attacker.do("UPDATE contact_policy_version SET body = :body WHERE version = 2", body=new)
    if hashed:
        digest = hashlib.sha256(new.encode()).digest()
        attacker.do("UPDATE contact_policy_version SET hash = :hash WHERE version = 2", hash=digest)
    [(subject, why)] = audited(world)[0]
    assert (subject, "digest" in why if hashed else why) == (
        "contact_policy_version 2", True if hashed else "its bytes do not hash to its hash",
    )  # fmt: skip
    if not hashed:
        with pytest.raises(LedgerBroken, match="version 2 of the contact policy"), world.store.read() as work:
            shelf.company_holdout(work)


def test_a_contact_policy_that_was_slipped_in_or_is_gone_is_found(world):
    attacker = Attacker(world)
    attacker.do("INSERT INTO contact_policy_version (version, hash, body, format, published_at, published_by, position)"
                " SELECT 3, hash, body, format, published_at, published_by, 0 FROM contact_policy_version"
                " WHERE version = 1")  # fmt: skip
    attacker.do("DELETE FROM contact_policy_version WHERE version = 1")
    found = audited(world)[0]
    assert [subject for subject, _ in found] == ["contact_policy_version 3", "contact_policy_version 1"]
    assert found[0][1] == "it names entry 0, which publishes no contact policy"
    assert found[1][1].endswith("published it, and it is not there")


@pytest.mark.parametrize("table", ["campaign_version", "contact_policy_version"])
def test_a_version_that_is_said_to_be_older_is_found(world, table):
    """When a contact policy was published says by which of them a decision had to go."""
    attacker, key = Attacker(world), "spring " if table == "campaign_version" else ""
    attacker.do(f"UPDATE {table} SET published_at = 0 WHERE version = 2")  # noqa: S608 -- a name from above
    [(subject, why)] = audited(world)[0]
    assert subject == f"{table} {key}2"
    assert why.startswith("it is said to be published at 1970-01-01T00:00:00.000Z, and entry ")


def test_a_campaign_under_another_key_that_is_said_to_be_from_before_the_ledger_told_of_them_is_found(world):
    """It decides for nobody by four eyes; where one person suffices it would."""
    [who] = willing(world, 1)
    attacker = Attacker(world)
    text = toml(tables(campaign={"key": "slipped"}))
    attacker.do(
        "INSERT INTO campaign_version (key, version, hash, body, format, published_at, published_by, compiled)"
        " VALUES ('slipped', 1, :hash, :body, 'toml', 0, 'mia', '')",
        body=text, hash=hashlib.sha256(text.encode()).digest(),
    )  # fmt: skip
    before = audited(world)[0]
    engine.decide_one(world.deployment, who, campaign="slipped", actor="mia")
    assert (before, audited(world)[0]) == ([], [("campaign_version slipped 1", "no entry of the ledger published it")])


def test_campaigns_of_before_the_ledger_told_of_them_are_held_against_their_own_hash(world):
    with world.store.write() as work:
        read = parse_campaign(
            toml(tables(campaign={"key": "older"})), "toml", world.deployment.desk.catalogues.current(work)
        )
        shelf.publish(work, read, actor="mia", at=world.clock())
    assert audited(world) == ([], [], 5)
