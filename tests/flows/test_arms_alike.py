"""What keeps somebody from a contact keeps him from a ghost: the arms of a campaign differ by chance alone."""

import numpy as np
import pytest

from personalise import contacts as counting
from personalise.history import History
from personalise.measure.effects import SampleRatio
from personalise.results.judging import results
from personalise.runs import log, run
from personalise.steps.personalise.holdout import buckets
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
