"""What keeps somebody from a contact keeps him from a ghost: the arms of a campaign differ by chance alone."""

from collections import Counter
from datetime import timedelta

import numpy as np
import pytest

from personalise import contacts as counting
from personalise import wishes
from personalise.history import History
from personalise.measure.effects import SampleRatio
from personalise.results.judging import results
from personalise.runs import log, run
from personalise.steps.personalise.holdout import buckets
from tests.builders import START
from tests.campaigns import TABLES, again, contacts, fill, open_run, publish, willing
from tests.flows.test_contact_audit import audited
from tests.flows.test_contact_policy import rule, wish

HALF = {"share": 0.5, "salt": "s"}
ALL = {"share": 0, "salt": "s"}
ONCE_A_WEEK = {"cap": [{"key": "mails", "channels": ["email"], "limit": 1, "days": 7}]}
MAIL = {**TABLES["treatment"][0], "score": "0.05"}


def went(world, key, *, holdout=HALF, **changes):
    """Publish a campaign by mail and run it: whom it reached, and whom it left out."""
    publish(world, treatment=[MAIL], cap=[], campaign={"key": key, "holdout": holdout}, **changes)
    return ran(world, key)


def ran(world, key):
    run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))
    reached, left_out = ({row[0] for row in contacts(world, each) if row[1] == key} for each in ("reserved", "ghost"))
    return reached, left_out


def test_whom_another_campaign_reached_the_next_one_reaches_by_neither_arm(world):
    everybody = set(willing(world, 400))
    rule(world, **ONCE_A_WEEK)
    reached, spared = went(world, "autumn")
    got, left_out = went(world, "spring")

    assert (reached | spared, reached & spared) == (everybody, set())
    assert (got | left_out, got & left_out) == (spared, set())
    found = results(world.deployment, "spring", actor="mia")
    assert isinstance(found.sample_ratio, SampleRatio)
    assert (found.misplaced, found.sample_ratio.ok) == (0, True)
    assert audited(world)[:2] == ([], [])


def test_its_own_ghosts_hold_a_control_back_as_contacts_do_the_others(world):
    everybody = set(willing(world, 60))
    rule(world, **ONCE_A_WEEK)
    first = went(world, "spring")
    world.clock.advance(days=3)
    assert (ran(world, "spring"), set.union(*first)) == (first, everybody)
    assert len(contacts(world) + contacts(world, "ghost")) == 60


def test_of_whom_the_company_holds_out_all_ghosts_count(world):
    everybody = set(willing(world, 60))
    rule(world, **ONCE_A_WEEK, holdout={"share": 0.25, "salt": "c"})
    reached, held_out = went(world, "autumn", holdout=ALL)

    assert (reached | held_out, 0 < len(held_out) < 60) == (everybody, True)
    assert went(world, "spring", holdout=ALL) == (set(), set())
    assert audited(world)[:2] == ([], [])


def test_what_has_to_come_first_has_to_have_come_to_controls_too(world):
    everybody = set(willing(world, 60))
    order = {"key": "o", "days": 7, "first": {"campaigns": ["autumn"]}, "then": {"campaigns": ["spring"]}}
    rule(world, order=[order])
    reached, spared = went(world, "autumn")
    got, left_out = went(world, "spring")

    assert reached | spared == everybody
    assert (got | left_out, got & left_out) == (reached, set())
    assert min(len(got), len(left_out)) > 0


def test_of_equals_a_volume_goes_to_who_was_not_contacted_lately_in_both_arms(world):
    """Controls who had a mail from elsewhere stand behind who had none, as the others do."""
    willing(world, 80)
    _, spared = went(world, "autumn")
    got, left_out = went(world, "spring", volume=[{"key": "desk", "channels": ["email"], "limit": 10}])

    rows = sorted(spared)
    held_out = dict(zip(rows, (buckets(rows, salt="s", scope="spring") < 5_000).tolist(), strict=True))
    treated = [who for who in rows if not held_out[who]]
    assert (got, len(treated) > 10) == (set(treated[:10]), True)
    assert left_out == {who for who in rows if held_out[who] and who < treated[10]}


def test_pressure_makes_a_contact_as_dear_for_controls(world):
    """After one mail the next one costs twice, which is more than there is: for a control's ghost as for a contact."""
    willing(world, 60)
    rule(world, goodwill={"opening": 5, "floor": 1, "prices": {"email": 1.5}, "pressure_days": 7})
    reached, spared = went(world, "autumn")
    got, left_out = went(world, "spring")

    assert (got | left_out, reached & left_out) == (spared, set())


@pytest.mark.parametrize("told", [True, False])
def test_ghosts_from_when_ghosts_alone_counted_are_audited_by_that(world, monkeypatch, told):
    """A chunk says how controls were counted; the check goes by that, and by what holds now where it says so."""

    class Older(History):
        def __init__(self, *given, **about):
            super().__init__(*given, **about)
            self.apart = ~self.real if len(self.real) else np.array([], dtype=np.bool_)

    willing(world, 60)
    rule(world, **ONCE_A_WEEK)
    reached, spared = went(world, "autumn")
    monkeypatch.setattr(counting, "History", Older)
    monkeypatch.setattr(log, "BESIDE", log.BESIDE if told else "alone")
    got, left_out = went(world, "spring")
    monkeypatch.undo()

    assert (got <= spared, left_out <= reached, len(left_out) > 0) == (True, True, True)
    found = {whose for _, whose, why in audited(world)[0]}
    ghosts = world.rows("SELECT customer, decision FROM contact WHERE status = 'ghost' AND campaign = 'spring'")
    assert found == ({decision for _, decision in ghosts} if told else set())


def had(world, key):
    """Return what each customer had from a campaign, or would have had, and when it was decided."""
    rows = [row for status in ("reserved", "ghost") for row in contacts(world, status) if row[1] == key]
    return {row[0]: (row[2], row[7]) for row in rows}


def test_which_arm_somebody_is_in_has_no_say_in_whether_and_what_he_would_get(world, twins):
    """The same customers, parted otherwise by another salt: as many, the same ones, by the same treatments."""
    fill(world, 90)
    rule(
        world,
        cap=[{"key": "mails", "channels": ["email"], "limit": 1, "days": 3}, {"key": "any", "limit": 2, "days": 9}],
        exclusion=[{"key": "x", "days": 2, "one": {"channels": ["post"]}, "other": {"campaigns": ["autumn"]}}],
        rest=[{"key": "r", "days": 30, "channels": ["sms"]}],
        goodwill={"opening": 9, "floor": 4, "prices": {"email": 1, "sms": 1.5, "post": 2}, "pressure_days": 9},
        holdout={"share": 0.1, "salt": "c"},
    )
    for spot, key in enumerate(("autumn", "winter")):
        publish(world, cap=[], campaign={"key": key, "holdout": {"share": 0.4, "salt": key}})
        ran(world, key)
        for row in contacts(world)[:: 4 + spot]:
            wish(world, row[0], email=(1, 30))
        world.clock.advance(days=1)
    twin = twins(world)
    worlds = {"s": world, "t": twin}
    for salt, each in worlds.items():
        publish(each, cap=[], campaign={"key": "spring", "holdout": {"share": 0.5, "salt": salt}})
    parted = [ran(each, "spring") for each in worlds.values()]

    assert had(world, "spring") == had(twin, "spring")
    assert len(parted[0][0] & parted[1][1]) > 0
    world.clock.advance(days=3)
    assert again(world) == again(twin) > 0
    assert had(world, "spring") == had(twin, "spring")
    assert [audited(each)[:2] for each in worlds.values()] == [([], [])] * 2


TEXT = {**TABLES["treatment"][1], "score": "0.5"}


def runs_of(world, key, days, **changes):
    """Publish a campaign by text message, run it on several days, and return how many contacts each had, by arm."""
    publish(world, treatment=[TEXT], cap=[], campaign={"key": key, "holdout": HALF, "ttl_days": 90}, **changes)
    for day in days:
        world.clock.set(START + timedelta(days=day))
        run.advance(world.deployment, open_run(world.deployment, key, actor="mia"))
    return tuple(set(Counter(row[0] for row in contacts(world, arm)).values()) for arm in ("reserved", "ghost"))


def test_whoever_has_two_limits_is_held_back_by_the_one_that_binds_in_his_arm(world):
    for who in willing(world, 40):
        with world.store.write() as work:
            said = wishes.Wishes(limits={wishes.ANY: wishes.Limit(5, 30), "sms": wishes.Limit(1, 30)})
            wishes.say(work, who, said, channels=("email", "sms"), at=world.clock())
    assert runs_of(world, "spring", range(3)) == ({1}, {1})
    assert audited(world)[:2] == ([], [])


def test_a_control_goes_through_the_floor_when_the_others_do_and_his_account_stays_whole(world):
    rule(world, goodwill={"opening": 10, "floor": 8, "prices": {"sms": 1}})
    willing(world, 40)
    assert runs_of(world, "spring", range(0, 50, 10)) == ({2}, {2})
    assert audited(world)[:2] == ([], [])

    charged = world.rows("SELECT status, charge, COUNT(*) FROM contact GROUP BY 1, 2")
    assert {(status, charge) for status, charge, _ in charged} == {("reserved", 1_000), ("ghost", 1_000)}
    accounts = {who for (who,) in world.rows("SELECT customer FROM goodwill")}
    assert accounts == {row[0] for row in contacts(world)}, "nothing was taken of who was reached by nothing"
    found = results(world.deployment, "spring", actor="mia")
    assert found.goodwill.contacts == 2.0 * len(accounts)
    world.tamper("UPDATE contact SET charge = 0 WHERE status = 'ghost'")
    assert len(audited(world)[0]) == len(contacts(world, "ghost"))


def test_another_campaigns_ghosts_cost_nobody_anything(world):
    rule(world, goodwill={"opening": 10, "floor": 8, "prices": {"sms": 1}})
    willing(world, 40)
    runs_of(world, "spring", (0, 10))
    world.clock.set(START + timedelta(days=20))
    publish(world, treatment=[TEXT], cap=[], campaign={"key": "autumn", "holdout": {"share": 0.5, "salt": "other"}})
    run.advance(world.deployment, open_run(world.deployment, "autumn", actor="mia"))
    reached = {row[0] for row in contacts(world) if row[1] == "spring"}
    got = {row[0] for arm in ("reserved", "ghost") for row in contacts(world, arm) if row[1] == "autumn"}
    assert (got & reached, len(got) + len(reached)) == (set(), 40)
