"""Laws of quotas: one pass in little memory finds the cuts that a plain loop over everybody finds, in any order."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from personalise.steps.personalise.quotas import (
    CLOSED,
    OPEN,
    Claims,
    Quota,
    Ranking,
    Room,
    behind,
    filled,
    kinds_of,
    tightened,
    together,
)

LAW = settings(max_examples=300)
TREATMENTS: Final = ("t0", "t1", "t2", "t3")
PRICE: Final = {"t0": 2, "t1": 3, "t2": 0, "t3": 2}


@dataclass(frozen=True)
class Person:
    """A customer: what each treatment is worth to the company (0: he can't get it), his last contact, the pressure."""

    id: str
    worth: tuple[float, ...]
    last: int
    pressure: int


quotas = st.lists(
    st.tuples(st.sampled_from([{"t0"}, {"t1", "t2"}, {"t0", "t1"}, {"t2"}, {"t0", "t1", "t2"}]), st.integers(0, 5)),
    min_size=0, max_size=3,
).flatmap(
    lambda drawn: st.one_of(st.none(), st.integers(0, 30)).map(
        lambda budget: (
            *(
                Quota(key=f"volume:{spot}", limit=limit, version=1, treatments=frozenset(names))
                for spot, (names, limit) in enumerate(drawn)
            ),
            *([] if budget is None else [
                Quota(key="goodwill_budget", limit=budget, version=0, treatments=frozenset({"t0", "t1"}), least=2,
                      charged=True)
            ]),
        )
    )
).filter(bool)  # fmt: skip
people = st.lists(
    st.tuples(
        st.tuples(*[st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])] * 4), st.integers(0, 2), st.integers(0, 2)
    ),
    max_size=14,
).map(lambda drawn: [Person(f"cus_{spot:02}", *one) for spot, one in enumerate(drawn)])  # fmt: skip


def kinds(several: Any) -> tuple[tuple[Quota, ...], ...]:
    return tuple(dict.fromkeys(each for each in kinds_of(several, TREATMENTS) if each))


def claimed(several: Any, whom: list[Person]) -> Claims:
    """Return what customers claim, in a plain loop."""
    rows = []
    alike = kinds(several)
    for one in whom:
        order = sorted((-worth, spot) for spot, worth in enumerate(one.worth) if worth)
        seen = set()
        for worth, spot in order:
            mine = tuple(each for each in several if TREATMENTS[spot] in each.treatments)
            if not mine:
                break
            if mine not in seen:
                seen.add(mine)
                charge = PRICE[TREATMENTS[spot]] * (1 + one.pressure)
                rows.append((alike.index(mine), -worth, one.last, one.id.encode(), spot, charge, False))
    types: Any = (np.int16, np.float64, np.int64, np.bytes_, np.int16, np.int64, np.bool_)
    columns = [np.array([row[spot] for row in rows], dtype=kind) for spot, kind in enumerate(types)]
    return Claims(**dict(zip(Claims.__slots__, columns, strict=True)))


def given_out(several: Any, whom: list[Person]) -> dict[str, int]:
    """Return what each customer gets: all pairs of customers and treatments, the best first."""
    left = {each.key: each.limit for each in several}
    closed: set[str] = set()
    found: dict[str, int] = {}
    pairs = sorted(
        (-worth, one.last, one.id, spot, one.pressure) for one in whom for spot, worth in enumerate(one.worth) if worth
    )
    for _, _, who, spot, pressure in pairs:
        if who in found:
            continue
        mine = [each for each in several if TREATMENTS[spot] in each.treatments]
        if closed.intersection(each.key for each in mine):
            continue
        amounts = {each.key: PRICE[TREATMENTS[spot]] * (1 + pressure) if each.charged else 1 for each in mine}
        tight = {key for key, amount in amounts.items() if amount > left[key]}
        closed |= tight
        if not tight:
            found[who] = spot
            for key, amount in amounts.items():
                left[key] -= amount
    return found


def by_cuts(several: Any, whom: list[Person], cuts: Any) -> dict[str, int]:
    """Return what each gets who goes by the cuts alone."""
    found = {}
    for one in whom:
        for worth, spot in sorted((-worth, spot) for spot, worth in enumerate(one.worth) if worth):
            mine = [cuts.get(each.key, OPEN) for each in several if TREATMENTS[spot] in each.treatments]
            place = (np.array([-worth]), np.array([one.last]), np.array([one.id.encode()]), spot)
            if not any(behind(place, (cut[0], cut[1], cut[2].encode(), cut[3]))[0] for cut in mine):
                found[one.id] = spot
                break
    return found


@LAW
@given(quotas, people)
def test_going_by_the_cuts_gives_out_what_a_plain_loop_over_all_pairs_gives_out(several, whom):
    cuts, taken = filled(claimed(several, whom), kinds(several), {each.key: each.limit for each in several})

    found = given_out(several, whom)
    assert by_cuts(several, whom, cuts) == found
    for each in several:
        mine = [one for one in whom if one.id in found and TREATMENTS[found[one.id]] in each.treatments]
        amounts = [PRICE[TREATMENTS[found[one.id]]] * (1 + one.pressure) if each.charged else 1 for one in mine]
        assert taken[each.key] == sum(amounts) <= each.limit


@LAW
@given(quotas, people, st.lists(st.integers(0, 14), max_size=3), st.randoms(use_true_random=False))
def test_a_pass_in_chunks_of_any_size_and_order_finds_what_all_at_once_finds(several, whom, cuts, drawn):
    limits = {each.key: each.limit for each in several}
    mixed = drawn.sample(whom, len(whom))
    bounds = [0, *sorted(min(each, len(whom)) for each in cuts), len(whom)]
    ranking = Ranking(kinds(several), limits)
    for start, end in pairwise(bounds):
        ranking.add(claimed(several, mixed[start:end]))
    room = ranking.room(limits, dict.fromkeys(limits, 0))

    plain, taken = filled(claimed(several, whom), kinds(several), limits)
    closed = {each.key for each in several if each.limit < each.least}
    assert room.cuts == {**plain, **dict.fromkeys(closed, CLOSED)}
    assert room.left == room.taken == taken


@LAW
@given(quotas, people)
def test_chunks_that_go_by_the_cuts_never_meet_a_tighter_one_where_nothing_changed(several, whom):
    limits = {each.key: each.limit for each in several}
    ranking = Ranking(kinds(several), limits)
    ranking.add(claimed(several, whom))
    room = ranking.room(limits, dict.fromkeys(limits, 0))
    whole = given_out(several, whom)
    for one in whom:
        cuts = tightened(claimed(several, [one]), kinds(several), room)
        assert cuts == room.cuts
        assert by_cuts(several, [one], cuts) == {who: spot for who, spot in whole.items() if who == one.id}
        for spot in [whole[one.id]] if one.id in whole else []:
            mine = [each for each in several if TREATMENTS[spot] in each.treatments]
            room.spend({each.key: each.taken(PRICE[TREATMENTS[spot]] * (1 + one.pressure)) for each in mine})
    assert room.left == dict.fromkeys(limits, 0)


@LAW
@given(quotas, people, st.integers(1, 5))
def test_who_comes_later_gets_no_more_than_is_left(several, whom, size):
    """Others than were ranked come chunk by chunk: together they never take more than was set aside."""
    limits = {each.key: each.limit for each in several}
    room = Room(left=dict(limits), taken=dict.fromkeys(limits, 0))
    for start in range(0, len(whom), size):
        some = whom[start : start + size]
        cuts = tightened(claimed(several, some), kinds(several), room)
        for who, spot in by_cuts(several, some, cuts).items():
            pressure = next(one.pressure for one in some if one.id == who)
            mine = [each for each in several if TREATMENTS[spot] in each.treatments]
            room.spend({each.key: each.taken(PRICE[TREATMENTS[spot]] * (1 + pressure)) for each in mine})
        assert min(room.left.values()) >= 0


def test_what_is_kept_is_bounded_by_the_quotas_however_many_come():
    several = (Quota(key="volume:calls", limit=7, version=1, treatments=frozenset({"t0"})),)
    ranking = Ranking(kinds(several), {"volume:calls": 7})
    drawn = np.random.default_rng(5)
    every = []
    for chunk in range(50):
        whom = [
            Person(f"cus_{chunk:03}_{spot:03}", (float(worth), 0.0, 0.0, 0.0), 0, 0)
            for spot, worth in enumerate(drawn.random(100))
        ]
        every.append(claimed(several, whom))
        ranking.add(every[-1])
        assert ranking.held <= 2 * (7 + 1)
    room = ranking.room({"volume:calls": 7}, {"volume:calls": 0})
    cuts, _ = filled(together(every), kinds(several), {"volume:calls": 7})
    assert room.cuts == cuts
    assert int((~together(every).behind(cuts["volume:calls"])).sum()) == 7
