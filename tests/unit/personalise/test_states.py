"""The life of a contact: what can become of it, and from where nothing does any more."""

import pytest

from personalise.steps.interact.states import COUNTING, ENDED, HANDED_OUT, Did, State, after

LEADS = {(state, did): after(state, did) for state in State for did in Did}


def test_every_step_that_can_be_taken():
    steps = {(str(state), str(did)): str(now) for (state, did), now in LEADS.items() if now not in (None, state)}
    assert steps == {
        ("reserved", "claim"): "claimed",
        ("reserved", "release"): "released",
        ("reserved", "expire"): "expired",
        ("claimed", "send"): "sent",
        ("claimed", "deliver"): "delivered",
        ("claimed", "fail_softly"): "reserved",
        ("claimed", "fail_hard"): "failed",
        ("claimed", "lose"): "lost",
        ("sent", "deliver"): "delivered",
        ("sent", "fail_softly"): "reserved",
        ("sent", "fail_hard"): "failed",
        ("lost", "deliver"): "delivered",
        ("lost", "fail_hard"): "failed",
    }


def test_a_contact_either_counts_or_has_ended():
    assert sorted([*COUNTING, *ENDED]) == sorted(State)
    assert set(HANDED_OUT) < set(COUNTING)


@pytest.mark.parametrize("state", [*ENDED, State.GHOST, State.DELIVERED])
def test_from_an_end_nothing_leads_on(state):
    assert {LEADS[state, did] for did in Did} <= {None, state}


def test_what_was_handed_out_is_never_released_nor_expires():
    assert {LEADS[state, did] for state in HANDED_OUT for did in (Did.RELEASE, Did.EXPIRE)} == {None}


def test_a_claim_can_be_taken_over_and_nothing_else_is_claimed_twice():
    assert [state for state in State if LEADS[state, Did.CLAIM]] == [State.RESERVED, State.CLAIMED]
