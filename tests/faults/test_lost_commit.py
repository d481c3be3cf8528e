"""Fault 7: the connection is lost during COMMIT. Whoever asks again with his key is answered the same, and once."""

import contextlib

import pytest

from api.actors import keys
from api.app import create_app
from api.roles import KeyScope, Role
from api.settings import Settings
from api.wiring import House
from consent.base.errors import CommitUnknown
from consent.deployment import open_deployment
from consent.register import proving, recording, sealing
from tests.faults.wire import Cut, wired

USE = "use:purchases:recommendations"
LOST = pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER])

pytestmark = pytest.mark.postgresql


@pytest.fixture
def world(_open):
    """Return a world on PostgreSQL: a commit to a file has no connection to lose."""
    return _open("postgresql", True)  # noqa: FBT003 -- a founded one


@pytest.fixture
def behind(world):
    """Return the same deployment behind a wire that can be cut."""
    with wired(world.url) as (wire, url):
        opened = open_deployment(database_url=url, keyring=world.keyring, clock=world.clock)
        with contextlib.closing(opened.store):
            yield wire, opened


def said(deployment, world, key):
    with deployment.store.write() as work:
        [recorded] = recording.record(
            deployment.desk, work, [world.statement(world.bo, "grant", USE)],
            actor="shop", at=world.clock(), idempotency_key=key,
        )  # fmt: skip
    return recorded


@LOST
def test_nobody_is_told_that_it_was_recorded_or_that_it_was_not(world, behind, cut):
    wire, deployment = behind
    size = world.size()
    wire.cut = cut

    with pytest.raises(CommitUnknown, match="the connection was lost while it was committed"):
        said(deployment, world, "one")

    assert (wire.cuts, world.size()) == (1, size + (cut is Cut.AFTER))


@LOST
def test_who_asks_again_is_answered_the_same_and_one_entry_stands(world, behind, cut):
    wire, deployment = behind
    size = world.size()
    wire.cut = cut
    with pytest.raises(CommitUnknown):
        said(deployment, world, "one")
    again = said(deployment, world, "one")
    third = said(deployment, world, "one")

    assert (again.repeated, third.repeated) == (cut is Cut.AFTER, True)
    assert (again.seq, again.at, again.statement) == (third.seq, third.at, third.statement)
    assert (world.size(), world.reason(world.bo, USE)) == (size + 1, "PERMIT")
    world.check_ledger()


@LOST
def test_a_face_says_that_nobody_knows_and_to_ask_again(world, behind, cut):
    wire, deployment = behind
    house = House(settings=Settings(database_url=world.url, keyring=world.keyring), deployment=deployment)
    with deployment.store.write() as work:
        made = keys.make(work, "a shop", scopes=tuple(KeyScope), role=Role.INTEGRATOR, at=world.clock())
    client = create_app(house).test_client()
    headers = {"Authorization": f"Bearer {made.token}", "Idempotency-Key": "one"}
    body = {"customer": world.bo, "act": "withdraw", "scopes": [USE], "method": "web_form"}
    client.get(f"/api/v1/customers/{world.bo}/permissions", headers=headers)  # what is written down about the key, is
    size = world.size()
    wire.cut = cut
    lost, again, third = (client.post("/api/v1/statements", json=body, headers=headers) for _ in range(3))

    assert (lost.status_code, lost.get_json()["code"], lost.headers["Retry-After"]) == (503, "commit_unknown", "5")
    assert (again.status_code, world.size()) == (third.status_code, size + 1)
    assert {**again.get_json(), "repeated": True} == third.get_json()
    world.check_ledger()


@LOST
def test_those_who_shared_the_commit_are_all_told_and_each_can_ask_again(world, behind, cut):
    wire, deployment = behind
    size = world.size()
    statements = [world.statement(world.bo, act, USE) for act in ("grant", "withdraw", "grant")]
    wire.cut = cut
    requests = [
        recording.Request(statements=[each], actor="shop", idempotency_key=f"k{number}")
        for number, each in enumerate(statements)
    ]
    with pytest.raises(CommitUnknown), deployment.store.write() as work:
        recording.record_each(deployment.desk, work, requests, at=world.clock())
    with deployment.store.write() as work:
        answers = recording.record_each(deployment.desk, work, requests, at=world.clock())

    assert [[one.seq for one in given] for given in answers if isinstance(given, list)] == [
        [size],
        [size + 1],
        [size + 2],
    ]
    assert world.size() == size + 3
    world.check_ledger()


@LOST
def test_a_checkpoint_and_a_sealed_log_are_there_once_or_not_at_all(world, behind, cut):
    wire, deployment = behind
    wire.cut = cut
    with pytest.raises(CommitUnknown), deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=world.clock())
    with deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=world.clock())
    at = world.clock.advance(days=60)
    wire.cut = cut
    with pytest.raises(CommitUnknown), deployment.store.write() as work:
        sealing.seal(deployment.desk, work, at=at)
    with deployment.store.read() as work:
        due = sealing.due(work, at)

    assert (due is None) == (cut is Cut.AFTER)
    assert len(world.rows("SELECT id FROM ledger_log")) == 1 + (cut is Cut.AFTER)
    world.check_ledger()
