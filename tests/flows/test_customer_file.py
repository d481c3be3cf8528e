"""A customer's file as of a date: what stood then by the entries recorded by then, each claim with its entry."""

from datetime import timedelta

import pytest

from api.settings import Settings
from api.wiring import House
from consent.base.errors import CustomerUnknown
from consent.ledger import entry, log
from consent.rights import correcting, file, limiting, looking, requests
from consent.rights.asked import Outcome, Right
from consent.rights.looking import Why
from consent.rights.requests import Asking
from personalise import engine
from tests.campaigns import fill, publish

NO_HOLDOUT = {"holdout": {"share": 0.0, "salt": "s"}}
CY, MAIL = "staff:cy", "contact:email:newsletter"


def file_of(world, who, as_of=None):
    """Return a file as it stands as of a time: its head and its sections."""
    house = House(settings=Settings(database_url=world.url, keyring=world.keyring), deployment=world.deployment)
    desk, at = world.deployment.desk, world.clock()
    with world.store.write() as work:
        look = looking.start(desk, work, who, Why.FILE, actor=CY, reason="a complaint", at=at)
        opened = file.opened(desk, work, look, as_of=as_of or at)
    sections = {name: list(rows) for name, rows in file.written(world.store, desk, opened, house.elsewhere())}
    return {**file.head(opened), **sections}


def scope_of(told, scope):
    return next(each for each in told["permissions"] if each["scope"] == scope)


def test_a_file_knows_nothing_of_what_was_recorded_later(world):
    """Rule 16: every view can be asked for a past time, and answers as it stood then."""
    first = file_of(world, world.ann)
    then = world.clock.advance(minutes=1)
    world.clock.advance(minutes=1)
    # A paper form of the day before, typed in today: it belongs to that day, but was not known then.
    world.withdraw(world.ann, MAIL, said_at=then - timedelta(hours=1))
    world.publish(catalogue_text(world) + "\n# a newer version\n")
    past, now = file_of(world, world.ann, then), file_of(world, world.ann)
    for name in ("permissions", "statements", "notices", "catalogue", "position"):
        assert past[name] == first[name]
    assert (scope_of(past, MAIL)["reason"], scope_of(now, MAIL)["reason"]) == ("PERMIT", "WITHDRAWN")
    assert (past["catalogue"], now["catalogue"]) == (1, 2)
    world.check_ledger()


def catalogue_text(world):
    with world.store.read() as work:
        return world.deployment.desk.catalogues.current(work).body


def test_every_claim_stands_on_an_entry_that_is_there(world):
    fill(world, 3)
    key = publish(world, campaign=NO_HOLDOUT)
    world.remember(world.ann, main_interest="garden", months_since_purchase=3, spend_past_year=50.0, purchases_count=7)
    engine.decide_one(world.deployment, world.ann, campaign=key, actor="key:k")
    desk, at = world.deployment.desk, world.clock()
    with world.store.write() as work:
        correcting.correct(desk, work, world.ann, {"main_interest": "tea"}, actor=CY, reason="she rang", at=at)
        requests.fulfil_at_once(desk, work, world.ann, Right.RECTIFICATION, actor=CY, at=at)
        limiting.restrict(desk, work, world.ann, actor="customer", at=at)
    told = file_of(world, world.ann)

    def kinds(positions):
        with world.store.read() as work:
            read = [entry.read(log.body_at(work, position)) for position in positions]
        return {each.kind.value for each in read if each}

    assert kinds(each["position"] for each in told["statements"]) == {"statement"}
    assert kinds(each["position"] for each in told["decisions"] + told["contacts"]) == {"decisions.committed"}
    assert kinds(step["position"] for each in told["requests"] for step in each["steps"]) == {"request.noted"}
    assert kinds(each["position"] for each in told["uses"] if each["position"] is not None) == {"data.corrected"}
    before = file_of(world, world.ann, at - timedelta(minutes=1))
    assert kinds(position for each in before["permissions"] for position in each["entries"]) == {
        "statement", "catalogue.published",
    }  # fmt: skip
    assert kinds([told["catalogue_position"]]) == {"catalogue.published"}
    restricted = told["statements"][-1]
    assert (restricted["act"], told["states"]) == ("restrict", ["restricted"])
    assert {(each["reason"], *each["entries"]) for each in told["permissions"]} == {
        ("RESTRICTED", restricted["position"])
    }
    assert ("garden" in str(told), "tea" in str(told)) == (False, False)


def test_a_request_is_told_as_it_stood(world):
    desk = world.deployment.desk
    with world.store.write() as work:
        asking = Asking(kind=Right.ACCESS, wish="all of it")
        request = requests.take_in(desk, work, world.ann, asking, actor="customer", at=world.clock())
    stood = []
    for act in (
        lambda work: requests.assign(desk, work, request.id, "staff:anna", actor=CY, at=world.clock()),
        lambda work: requests.extend(desk, work, request.id, "forty letters", actor=CY, at=world.clock()),
        lambda work: requests.close(desk, work, request.id, Outcome.REFUSED, actor=CY, at=world.clock(), answer="no"),
    ):
        stood.append((world.clock(), file_of(world, world.ann)["requests"]))
        world.clock.advance(days=1)
        with world.store.write() as work:
            act(work)
    assert [(each["state"], each["owner"], each["due_at"][:10], each["extension"]) for _, [each] in stood] == [
        ("received", "", "2026-12-21", ""), ("in_hand", "staff:anna", "2026-12-21", ""),
        ("in_hand", "staff:anna", "2027-02-21", "forty letters"),
    ]  # fmt: skip
    for at, before in stood:
        assert file_of(world, world.ann, at)["requests"] == before
    [now] = file_of(world, world.ann)["requests"]
    assert (now["state"], now["outcome"], now["answer"]) == ("closed", "refused", "no")


def test_a_file_from_before_the_customer_was_known_does_not_exist(world):
    with pytest.raises(CustomerUnknown, match="then"):
        file_of(world, world.ann, world.clock() - timedelta(days=2))
    assert world.rows("SELECT count(*) FROM data_use") == [(0,)]


def test_what_is_kept_is_named_since_when_and_stays_sealed(world):
    world.remember(world.ann, main_interest="garden")
    then = world.clock()
    world.clock.advance(hours=1)
    world.remember(world.ann, spend_past_year=1.0)
    assert [each["category"] for each in file_of(world, world.ann, then)["kept"]] == ["interests"]
    assert [each["category"] for each in file_of(world, world.ann)["kept"]] == ["interests", "purchases"]
