"""The jobs that keep the ledger: each does what is due, once, and leaves alone what is not."""

import logging

import pytest

from api.jobs import ledger
from api.settings import Settings, read_settings
from api.wiring import House
from consent.base.errors import SettingsInvalid
from consent.ledger import cosignature
from consent.ledger.entry import Kind
from consent.ledger.log import origin_of
from consent.register import snapshots
from tests.flows.test_periods import NEW_YEAR, NEWS, key_of, signed
from tests.witnesses import running


def house_of(world, witness=None):
    named = {"witness_url": witness.place.url, "witness_key": cosignature.vkey(witness.place.key)} if witness else {}
    settings = Settings(database_url=world.url, keyring=world.keyring, **named)
    return House(settings=settings, deployment=world.deployment)


def sizes(world):
    return [size for (size,) in world.rows("SELECT size FROM ledger_checkpoint ORDER BY log, size")]


def kinds(world):
    return [row[0] for row in world.rows("SELECT body FROM ledger_entry ORDER BY log, seq")]


def test_what_grew_is_signed_and_what_did_not_is_left(world):
    house = house_of(world)
    ledger.checkpoint(house, "a worker")
    ledger.checkpoint(house, "another")
    first = world.size()
    world.grant(world.bo, NEWS)
    ledger.checkpoint(house, "a worker")

    assert sizes(world) == [first, first + 1]
    world.check_ledger()


def test_growth_is_signed_within_a_minute_whatever_the_settings_say():
    assert Settings().checkpoint_every_seconds <= 60
    with pytest.raises(SettingsInvalid, match="60"):
        read_settings({"BYLEAVE_CHECKPOINT_EVERY_SECONDS": "61"})


def test_a_log_is_sealed_when_its_half_year_is_over_and_not_before(world):
    house = house_of(world)
    ledger.seal(house, "a worker")
    before = world.rows("SELECT id FROM ledger_log")
    world.clock.set(NEW_YEAR)
    ledger.seal(house, "a worker")
    ledger.seal(house, "another")
    with world.store.read() as work:
        opened = origin_of(work, 2)

    assert (before, world.rows("SELECT id FROM ledger_log ORDER BY id")) == ([(1,)], [(1,), (2,)])
    assert opened == "shop.example/consent/2027h1"
    world.check_ledger()


def test_a_night_has_one_snapshot(world):
    house = house_of(world)
    for holder in ("a worker", "another"):
        ledger.snapshot(house, holder)
    nights = [len(taken(world))]
    world.clock.advance(hours=15, minutes=59)  # from 10:00 to just before the next one is due
    ledger.snapshot(house, "a worker")
    nights.append(len(taken(world)))
    world.clock.advance(minutes=1)
    ledger.snapshot(house, "a worker")
    nights.append(len(taken(world)))

    assert nights == [1, 1, 2]
    assert world.rows("SELECT state, count(*) FROM job_run WHERE job = 'snapshot' GROUP BY state") == [("taken", 2)]
    world.check_ledger()


def taken(world):
    return [body for body in kinds(world) if f'"t":"{Kind.STATE_SNAPSHOT}"'.encode() in body]


def test_a_snapshot_whose_worker_died_is_taken_by_another_once_the_lease_is_over(world, monkeypatch):
    house = house_of(world)
    with monkeypatch.context() as patched:
        patched.setattr(snapshots, "take", died)
        with pytest.raises(SystemExit):
            ledger.snapshot(house, "a worker")
    ledger.snapshot(house, "another")
    waiting = len(taken(world))
    world.clock.advance(seconds=301)
    ledger.snapshot(house, "another")

    assert (waiting, len(taken(world))) == (0, 1)
    assert world.rows("SELECT holder, state, token FROM job_run WHERE job = 'snapshot'") == [("another", "taken", 2)]
    world.check_ledger()


def died(*_args, **_more):
    raise SystemExit


def test_a_checkpoint_is_cosigned_and_a_contradiction_is_shouted(world, twins, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="byleave.worker")
    with running(tmp_path / "witness", key_of(world), clock=world.clock) as witness:
        backup = twins(world)
        world.grant(world.bo, NEWS)
        signed(world)
        ledger.witness(house_of(world, witness), "a worker")
        well = list(caplog.records)
        ledger.witness(house_of(backup, witness), "a worker")
        held = caplog.records[-1]
    world.grant(world.bo, NEWS)
    signed(world)
    ledger.witness(house_of(world, witness), "a worker")
    ledger.witness(house_of(world), "a worker")  # no witness is named: nothing to ask
    down = caplog.records[-1]

    assert (well, world.rows("SELECT size FROM cosignature")) == ([], [(world.size() - 1,)])
    assert (held.levelname, held.getMessage()) == ("CRITICAL", "job=witness held=yes signed=0 cosigned=0")
    assert (down.levelname, down.getMessage()) == ("ERROR", "job=witness uncosigned=1")
    assert len(caplog.records) == 2
    world.check_ledger()
