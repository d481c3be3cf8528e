"""Dry runs and runs over a small shop: what they change and count, and that stopping them anywhere is harmless."""

from dataclasses import replace
from datetime import timedelta

import pytest

from consent.base.clock import to_ms
from consent.base.errors import CampaignUnknown, RunUnknown, StateConflict
from consent.base.ids import RunId
from consent.register import publishing
from personalise import contacts as history
from personalise import shelf
from personalise.contact_policy.model import Cap
from personalise.contact_policy.windows import of_cap
from personalise.history import Counting
from personalise.runs import dry_run, log, run
from tests.builders import START
from tests.campaigns import (
    MAIL,
    NEEDED,
    PURCHASES,
    TABLES,
    TEXT,
    chunks,
    contacts,
    decisions,
    fill,
    open_run,
    publish,
    sent,
    willing,
)

MANY = 120
SMALL = 25
"""Customers of the shop, and of a chunk, so that a run has five of them and a last one that isn't full."""

MAIL_ONLY = {"treatment": TABLES["treatment"][:1]}


def ran(world, key="spring", *, most=SMALL, deployment=None):
    deployment = deployment or world.deployment
    return run.advance(deployment, open_run(deployment, key, actor="mia"), most=most)


def dry(world, most=SMALL):
    return dry_run.dry_run(world.deployment, "spring", actor="mia", most=most).counts


def everything(world, *, but=()):
    """Return the content of every table."""
    if world.dialect == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    else:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    names = sorted(name for (name,) in world.rows(query) if name not in but)
    return {name: sorted(world.rows(f'SELECT * FROM "{name}"'), key=repr) for name in names}  # noqa: S608 -- names of tables


@pytest.fixture
def shop(world):
    """Return a world with 120 customers of all kinds, Ann and Bo, and the campaign."""
    fill(world, MANY)
    publish(world)
    return world


# ------------------------------------------------------------------------------------------------------------- dry runs


def test_a_dry_run_changes_nothing_but_the_record_of_having_looked(shop):
    looked = ("data_use", "campaign_dry_run")
    before = everything(shop, but=looked)
    counts = dry(shop)

    assert counts.chosen.total() > 0
    assert everything(shop, but=looked) == before
    assert (
        shop.rows("SELECT actor, purpose, decision, reason FROM data_use")
        == [("mia", "recommendations", "", "dry run of spring")] * 5
    )
    shop.check_ledger()


def test_a_dry_run_foresees_the_run(shop):
    foreseen = dry(shop, most=7).as_json()

    assert foreseen == ran(shop).counts.as_json()
    assert foreseen == {**foreseen, "customers": MANY + 2}
    shop.check_ledger()


def test_a_dry_run_tells_how_far_it_is(sqlite_world):
    fill(sqlite_world, 10)
    publish(sqlite_world)
    seen = []
    dry_run.dry_run(
        sqlite_world.deployment, "spring", actor="mia", progress=lambda *done: seen.append(done), most=5
    )  # fmt: skip

    assert seen == [(5, 12), (10, 12), (12, 12)]


def test_a_campaign_that_was_not_published_can_be_neither_run_nor_tried(world):
    for use in (open_run, dry_run.dry_run):
        with pytest.raises(CampaignUnknown):
            use(world.deployment, "summer", actor="mia")


# ----------------------------------------------------------------------------------------------------------------- runs


def test_a_run_decides_for_everybody_once_and_its_counts_add_up(shop):
    done = ran(shop)
    told = done.counts.as_json()

    assert (done.state, done.done, done.total) == ("finished", MANY + 2, MANY + 2)
    assert sum(told["stages"].values()) + sum(told["chosen"].values()) == told["customers"] == MANY + 2
    assert sorted(decisions(shop, done.id)) == [who for (who,) in shop.rows("SELECT id FROM customer ORDER BY id")]
    assert [(chunk.number, chunk.table.num_rows) for chunk in chunks(shop, done.id)] == [
        (0, 25), (1, 25), (2, 25), (3, 25), (4, 22),
    ]  # fmt: skip
    shop.check_ledger()


def test_a_contact_is_reserved_for_everybody_chosen_and_a_ghost_for_everybody_held_back(shop):
    publish(shop, campaign={"holdout": {"share": 0.5, "salt": "s"}})
    done = ran(shop)
    made = decisions(shop, done.id)
    names = ["mail", "text", "letter"]

    for status, column in (("reserved", "chosen"), ("ghost", "ghost")):
        expected = {who: names[dict(row)[column]] for who, row in made.items() if dict(row)[column] >= 0}
        assert {row[0]: row[2] for row in contacts(shop, status)} == expected
        assert len(contacts(shop, status)) == len(expected) > 10
    assert {row[1:2] + row[3:4] + row[5:] for row in contacts(shop)} == {
        ("spring", offer, "recommendations", "reserved", 1_795_255_200_000) for offer in ("range", "guide")
    }
    shop.check_ledger()


def test_whoever_is_addressed_had_permitted_all_that_it_takes(shop):
    ran(shop)
    needs = {"mail": (MAIL, PURCHASES), "text": (TEXT, PURCHASES)}

    for who, _, treatment, *_ in contacts(shop):
        for scope in needs.get(treatment, ()):
            assert shop.reason(who, scope, remembered=True) == "PERMIT"
    shop.check_ledger()


def test_each_chunk_is_a_use_of_the_run(shop):
    done = ran(shop)

    uses = shop.rows("SELECT actor, purpose, categories, decision, reason, customer FROM data_use")
    assert uses == [("mia", "recommendations", "interests,purchases", done.id, "", "")] * 5
    shop.check_ledger()


def test_the_ledger_commits_to_every_chunk(shop):
    done = ran(shop)
    found = chunks(shop, done.id)

    with shop.store.read() as work:
        committed = [publishing.noted(shop.deployment.desk, work, chunk.log, chunk.seq) for chunk in found]
    assert committed == [
        log.commitment(chunk, log.root_of(chunk.table, bytes.fromhex(chunk.about["salt"]))) for chunk in found
    ]
    assert [chunk.root for chunk in found] == [
        log.root_of(chunk.table, bytes.fromhex(chunk.about["salt"])) for chunk in found
    ]
    shop.check_ledger()


def test_what_is_decided_does_not_depend_on_the_size_of_the_chunks(shop, twins):
    twin = twins(shop)
    first, second = ran(shop, most=7), ran(twin, most=5_000)

    assert decisions(shop, first.id) == decisions(twin, second.id)
    assert (contacts(shop), first.counts.as_json()) == (contacts(twin), second.counts.as_json())
    for each in (shop, twin):
        each.check_ledger()


# --------------------------------------------------------------------------------------------------- capped by contacts


def test_a_second_run_respects_the_caps(world):
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0.3, "salt": "s"}})
    willing(world, 30)
    chosen, ghosts, stages = [], [], []
    for _ in range(3):
        done = ran(world)
        chosen.append(done.counts.chosen["mail"])
        stages.append(done.counts.stages["contact_policy"])
        ghosts.append(len(contacts(world, "ghost")))
        world.clock.advance(days=1)

    treated, held = chosen[0], 30 - chosen[0]
    assert (chosen, stages) == ([treated, treated, 0], [0, 0, treated])
    assert (treated > 0, held > 0, ghosts) == (True, True, [held, 2 * held, 2 * held])
    world.check_ledger()


@pytest.mark.parametrize(
    ("later", "chosen"), [(timedelta(days=30) - timedelta(milliseconds=1), 0), (timedelta(days=30), 5)]
)
def test_a_contact_exactly_as_old_as_the_window_no_longer_counts(sqlite_world, later, chosen):
    world = sqlite_world
    publish(world, **MAIL_ONLY, cap=[{**TABLES["cap"][0], "limit": 1}], campaign={"holdout": {"share": 0, "salt": "s"}})
    willing(world, 5)
    first = ran(world)
    assert sent(world) == 5
    world.clock.set(START + later)
    second = ran(world)

    assert (first.counts.chosen["mail"], second.counts.chosen["mail"]) == (5, chosen)


def test_the_time_from_which_one_more_is_allowed_is_that_of_the_newest_that_still_counts(sqlite_world):
    world = sqlite_world
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0, "salt": "s"}})
    [who] = willing(world, 1)
    reserved_at = []
    for _ in range(3):
        done = ran(world)
        reserved_at.append(world.clock())
        world.clock.advance(days=3)
    row = dict(decisions(world, done.id)[who])

    # Three were tried, two were made; the limit is two, so the second newest of the two has to leave the window.
    assert (row["contacts:mail"], row["free:mail"]) == (
        2,
        int((reserved_at[0] + timedelta(days=30)).timestamp() * 1000),
    )


def test_each_cap_counts_in_its_own_window_and_on_its_own_channels(world):
    caps = [
        Cap(key="week", channels=("email",), limit=2, days=7),
        Cap(key="month", channels=("email", "sms"), limit=3, days=30),
        Cap(key="never", channels=("post",), limit=0, days=1),
    ]
    day = timedelta(days=1)
    week, month, moment = 7 * day, 30 * day, timedelta(milliseconds=1)
    made = [
        ("email", "reserved", week), ("email", "reserved", week - moment), ("sms", "sent", day),
        ("email", "delivered", timedelta(0)), ("email", "reserved", month), ("email", "reserved", month - moment),
        ("email", "ghost", day), ("email", "failed", day), ("email", "reserved", -day),
    ]  # fmt: skip
    with world.store.write() as work:
        history.reserve(work, [
            history.Contact(world.ann, f"dec_{number}.0", "c", "t", "o", channel, "p", status, to_ms(START - ago), "f",
                            "", "marketing", 0, None, "")
            for number, (channel, status, ago) in enumerate(made)
        ])  # fmt: skip

    def told(key, **counting):
        with world.store.read() as work:
            windows = [of_cap(cap) for cap in caps]
            found = history.counted(work, [world.bo, world.ann], windows, START, counting=Counting(**counting))
        return [found[f"{what}:{key}"].to_pylist() for what in ("contacts", "contacts_free", "ghosts", "ghosts_free")]

    never, frees = 2**63 - 1, to_ms(START - day + month)
    # Newest first Ann's mails are of tomorrow, of now, the ghost, of a moment less than a week ago.
    assert told("week", campaign="c") == [[0, 3], [0, to_ms(START + week)], [0, 4], [0, to_ms(START + week)]]
    assert told("month", campaign="c") == [[0, count_or_time] for count_or_time in (6, frees, 7, frees)]
    assert told("never", campaign="c") == [[0, 0], [never, never], [0, 0], [never, never]]
    # Another campaign's ghost is none of its own, but of whom the company holds out all count.
    assert told("week", campaign="d") == [[0, 3], [0, to_ms(START + week)]] * 2
    assert told("week", campaign="d", by_company={world.ann}) == told("week", campaign="c")


def test_contacts_count_across_campaigns_and_only_on_the_channels_of_the_cap(sqlite_world):
    world = sqlite_world
    everybody = {"holdout": {"share": 0, "salt": "s"}}
    cap = [{"key": "mail", "channels": ["email"], "limit": 1, "days": 30}]
    text = [{**TABLES["treatment"][1], "score": "0.9"}]
    publish(world, **MAIL_ONLY, cap=cap, campaign=everybody)
    publish(world, treatment=text, campaign={"key": "texts", **everybody})
    publish(world, **MAIL_ONLY, cap=cap, campaign={"key": "other", **everybody})
    willing(world, 4)

    assert [ran(world, key).counts.chosen.total() for key in ("texts", "spring", "other", "texts")] == [4, 4, 0, 4]


# -------------------------------------------------------------------------------------------------- pause, resume, stop


class Interrupted(Exception):
    pass


def interrupt(*_):
    raise Interrupted


def begun(world, chunks_done=1):
    """Start a run and break it off after some chunks; return its id."""
    identity = open_run(world.deployment, "spring", actor="mia")
    for _ in range(chunks_done):
        with pytest.raises(Interrupted):
            run.advance(world.deployment, identity, progress=interrupt, most=SMALL)
    return identity


def test_a_paused_run_waits_until_it_is_resumed(shop):
    identity = begun(shop)
    paused = run.change(shop.deployment, identity, "paused")
    waiting = run.advance(shop.deployment, identity, most=SMALL)
    run.change(shop.deployment, identity, "running")
    done = run.advance(shop.deployment, identity, most=SMALL)

    assert [(each.state, each.done) for each in (paused, waiting, done)] == [
        ("paused", 25), ("paused", 25), ("finished", MANY + 2),
    ]  # fmt: skip
    shop.check_ledger()


def test_a_stopped_run_stays_as_it_is(shop):
    identity = begun(shop, 2)
    before = contacts(shop)
    stopped = run.change(shop.deployment, identity, "stopped")
    shop.clock.advance(hours=1)
    again = run.change(shop.deployment, identity, "stopped")
    after = run.advance(shop.deployment, identity, most=SMALL)

    assert {(each.state, each.done, each.ended_at) for each in (stopped, again, after)} == {("stopped", 50, START)}
    assert contacts(shop) == before
    shop.check_ledger()


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ((), "finished"), ((), "asleep"), (("stopped",), "running"), (("stopped",), "paused"),
        (("paused",), "finished"),
    ],
)  # fmt: skip
def test_a_run_cannot_go_from_every_state_to_every_other(sqlite_world, path, refused):
    publish(sqlite_world)
    identity = open_run(sqlite_world.deployment, "spring", actor="mia")
    for state in path:
        run.change(sqlite_world.deployment, identity, state)

    with pytest.raises(StateConflict, match=f"can't become {refused}"):
        run.change(sqlite_world.deployment, identity, refused)


def test_a_finished_run_cannot_be_taken_up_again(sqlite_world):
    publish(sqlite_world)
    done = ran(sqlite_world)

    assert run.advance(sqlite_world.deployment, done.id) == done
    with pytest.raises(StateConflict):
        run.change(sqlite_world.deployment, done.id, "running")


def test_one_run_of_a_campaign_at_a_time(world):
    publish(world)
    publish(world, campaign={"key": "other"})
    first = open_run(world.deployment, "spring", actor="mia")
    open_run(world.deployment, "other", actor="mia")
    with pytest.raises(StateConflict, match=f"run {first} of spring is under way"):
        open_run(world.deployment, "spring", actor="mia")
    run.change(world.deployment, first, "paused")
    with pytest.raises(StateConflict):
        open_run(world.deployment, "spring", actor="mia")
    run.change(world.deployment, first, "stopped")

    assert open_run(world.deployment, "spring", actor="mia") != first


def test_a_run_that_does_not_exist_is_unknown(world):
    nowhere = RunId("run_1")
    for use in (run.read, run.advance):
        with pytest.raises(RunUnknown):
            use(world.deployment, nowhere)
    with pytest.raises(RunUnknown):
        run.change(world.deployment, nowhere, "paused")


def test_runs_are_listed_newest_first(sqlite_world):
    world = sqlite_world
    publish(world)
    publish(world, campaign={"key": "other"})
    made = []
    for key in ("spring", "other", "spring"):
        made.append(ran(world, key).id)
        world.clock.advance(minutes=1)
    with world.store.read() as work:
        listed = [
            [each.id for each in run.newest(work, **how)]
            for how in ({}, {"campaign": "spring"}, {"most": 1}, {"state": "running"}, {"state": "finished"})
        ]

    assert listed == [made[::-1], [made[2], made[0]], [made[2]], [], made[::-1]]


# ---------------------------------------------------------------------------------------------------------- interrupted


def test_a_run_interrupted_after_every_chunk_equals_an_uninterrupted_one(shop, twins):
    twin = twins(shop)
    whole = ran(twin)
    identity = begun(shop, 5)
    done = run.advance(shop.deployment, identity, progress=interrupt, most=SMALL)  # nobody is left

    assert decisions(shop, done.id) == decisions(twin, whole.id)
    assert [contacts(shop, status) for status in ("reserved", "ghost")] == [
        contacts(twin, status) for status in ("reserved", "ghost")
    ]
    assert done.counts.as_json() == whole.counts.as_json()
    for each in (shop, twin):
        each.check_ledger()


class FailingClock:
    """A clock that breaks when it is read the n-th time: a chunk reads it when it begins and when it is written."""

    def __init__(self, clock, last):
        self._clock, self._left = clock, last

    def __call__(self):
        self._left -= 1
        if self._left < 0:
            raise Interrupted
        return self._clock()


def test_a_run_that_fails_within_a_chunk_keeps_nothing_of_that_chunk(shop, twins):
    twin = twins(shop)
    whole = ran(twin)
    identity = open_run(shop.deployment, "spring", actor="mia")
    for reads in (0, 1, 2, 3, 1, 5):
        failing = replace(shop.deployment, clock=FailingClock(shop.clock, reads))
        with pytest.raises(Interrupted):
            run.advance(failing, identity, most=SMALL)
        stands = run.read(shop.deployment, identity)
        assert len(decisions(shop, identity)) == stands.done == stands.counts.customers
        assert len(contacts(shop)) == stands.counts.chosen.total()
    done = run.advance(shop.deployment, identity, most=SMALL)

    assert decisions(shop, done.id) == decisions(twin, whole.id)
    assert (contacts(shop), done.counts.as_json()) == (contacts(twin), whole.counts.as_json())
    shop.check_ledger()


def test_a_run_decides_at_the_instant_it_began_however_late_it_goes_on(shop, twins):
    twin = twins(shop)
    whole = ran(twin)
    identity = begun(shop)
    shop.clock.advance(days=2)
    done = run.advance(shop.deployment, identity, most=SMALL)

    assert decisions(shop, done.id) == decisions(twin, whole.id)
    assert contacts(shop) == contacts(twin)
    assert [chunk.at for chunk in chunks(shop, done.id)] == [START] + [START + timedelta(days=2)] * 4
    shop.check_ledger()


# ----------------------------------------------------------------------------------------------- what happens meanwhile


def test_a_withdrawal_between_chunks_is_honoured(world):
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0, "salt": "s"}})
    who = willing(world, 50)
    identity = begun(world)
    world.clock.advance(minutes=1)
    for customer in (who[0], who[-1]):
        world.withdraw(customer, MAIL)
    done = run.advance(world.deployment, identity, most=SMALL)
    made = decisions(world, done.id)

    # Ann and Bo are the first of the first chunk; they have nothing remembered.
    assert [dict(made[customer])["chosen"] for customer in (who[0], who[-2], who[-1])] == [0, 0, -1]
    assert {row[0] for row in contacts(world)} == set(who[:-1])
    world.check_ledger()


def test_a_permission_that_ends_between_chunks_is_gone(world):
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0, "salt": "s"}})
    who = willing(world, 50)
    identity = begun(world)
    world.clock.advance(days=3 * 365)
    done = run.advance(world.deployment, identity, most=SMALL)

    assert {row[0] for row in contacts(world)} == set(who[: SMALL - 2])
    assert done.counts.reasons[f"permission:{MAIL} EXPIRED"] == 50 - (SMALL - 2)
    world.check_ledger()


def test_a_contact_made_meanwhile_counts_though_it_is_newer_than_the_run(world):
    publish(world, **MAIL_ONLY, cap=[{**TABLES["cap"][0], "limit": 1}], campaign={"holdout": {"share": 0, "salt": "s"}})
    publish(world, **MAIL_ONLY, cap=[], campaign={"key": "other", "holdout": {"share": 0, "salt": "s"}})
    willing(world, 50)
    identity = begun(world)
    world.clock.advance(hours=1)
    other = ran(world, "other")
    done = run.advance(world.deployment, identity, most=SMALL)

    assert (other.counts.chosen["mail"], done.counts.chosen["mail"]) == (50, SMALL - 2)
    world.check_ledger()


def test_a_customer_who_comes_meanwhile_is_decided_for_too(world):
    publish(world)
    fill(world, 30)
    identity = begun(world)
    world.clock.advance(minutes=1)
    world.enrol("LATE")
    done = run.advance(world.deployment, identity, most=SMALL)

    assert (done.done, done.total, done.counts.customers) == (33, 32, 33)
    world.check_ledger()


def newer(world, *changes):
    """Publish the catalogue in force with some words in it replaced."""
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    return world.publish(body)


def test_a_catalogue_published_meanwhile_does_not_change_the_policy_of_a_run(shop, twins):
    twin = twins(shop)
    whole = ran(twin)
    identity = begun(shop)
    newer(shop, ('name = "A shop"', 'name = "Another shop"'))
    done = run.advance(shop.deployment, identity, most=SMALL)
    found = chunks(shop, done.id)

    assert {chunk.about["policy"] for chunk in found} == {chunks(twin)[0].about["policy"]}
    assert [(chunk.about["read_under"], chunk.about["catalogue"]) for chunk in found] == [(1, 1)] + [(1, 2)] * 4
    assert decisions(shop, done.id) == decisions(twin, whole.id)
    assert ran(shop).catalogue == 2
    shop.check_ledger()


@pytest.mark.parametrize(
    "change",
    [
        ('spend_past_year = "number"', 'spend_past_year = "text"'),
        ('spend_past_year = "number"\n', ""),
        ('spend_past_year = "number"\npurchases_count', 'spend_past = "number"\npurchases_count'),
    ],
)
def test_an_attribute_that_a_newer_catalogue_changed_is_unknown_to_a_run_that_began_before(world, change):
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0, "salt": "s"}})
    willing(world, 50)
    identity = begun(world)
    newer(world, change)
    done = run.advance(world.deployment, identity, most=SMALL)

    # Of Ann, who allows everything, nothing is known; Bo allows nothing.
    assert (done.counts.chosen["mail"], done.counts.reasons["unknown"]) == (SMALL - 2, 50 - (SMALL - 2) + 1)
    world.check_ledger()


def test_an_attribute_that_moved_to_a_category_nobody_was_asked_for_is_unknown(world):
    publish(world, **MAIL_ONLY, campaign={"holdout": {"share": 0, "salt": "s"}})
    willing(world, 50)
    identity = begun(world)
    moved = ('language = "text"\n', 'language = "text"\nspend_past_year = "number"\n')
    newer(world, ('spend_past_year = "number"\n', ""), moved)
    done = run.advance(world.deployment, identity, most=SMALL)

    assert done.counts.chosen["mail"] == SMALL - 2
    world.check_ledger()


def test_a_campaign_published_meanwhile_does_not_change_the_policy_of_a_run(shop, twins):
    twin = twins(shop)
    whole = ran(twin)
    identity = begun(shop)
    publish(shop, campaign={"audience": "FALSE"})
    done = run.advance(shop.deployment, identity, most=SMALL)

    assert decisions(shop, done.id) == decisions(twin, whole.id)
    assert ran(shop).counts.chosen.total() == 0
    shop.check_ledger()


def test_versions_of_a_campaign_are_numbered_and_the_same_file_is_not_published_twice(world):
    publish(world)
    with pytest.raises(StateConflict, match="version 1 of spring is exactly this file"):
        publish(world)
    publish(world, campaign={"name": "Spring again"})
    publish(world, campaign={"key": "autumn"})

    with world.store.read() as work:
        assert [(key, version) for key, version, _ in shelf.keys(work)] == [("autumn", 1), ("spring", 2)]


def test_the_campaign_of_the_tests_asks_for_what_its_customers_grant():
    assert set(NEEDED) >= {MAIL, TEXT, PURCHASES}
