"""Rate limits: what is counted together, however many count; and nobody gets more than his quota."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.rates.address import client
from api.rates.limiter import Limiter, TooMany
from api.rates.policy import SECOND, Policy
from api.rates.shared import InFile, InTable, shared
from consent.base.errors import DatabaseDown

KEY = bytes(32)
T0 = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
MICRO = int(T0.timestamp()) * SECOND


class Alone:
    """What is shared, of one process, as plain arithmetic."""

    def __init__(self):
        self.full_at = {}
        self.asked = 0

    def take(self, subject, *, cost, window, now):
        self.asked += 1
        whole = max(self.full_at.get(subject, 0), now)
        if whole + cost > now + window:
            return False, whole
        self.full_at[subject] = whole + cost
        return True, whole + cost

    def forget(self, *, now):
        self.full_at = {who: whole for who, whole in self.full_at.items() if whole >= now}


class Hands:
    """A clock that is set by hand."""

    def __init__(self):
        self.at = T0

    def __call__(self):
        return self.at


class Process:
    """A process that counts, by a clock."""

    def __init__(self, kept, quota, clock):
        self.limiter = Limiter(kept, [Policy("key", quota)], key=KEY)
        self.clock = clock

    def spend(self, policy, subject):
        return self.limiter.spend(policy, subject, at=self.clock())


def limiter(kept, quota=60, clock=None):
    return Process(kept, quota, clock or Hands())


def passes(one, subject="a"):
    try:
        one.spend("key", subject)
    except TooMany:
        return False
    return True


@settings(max_examples=200)
@given(
    quota=st.integers(1, 400),
    asked=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9_000), st.integers(1, 90)), max_size=25),
)
def test_all_processes_together_let_through_the_quota_and_no_more(quota, asked):
    """Nobody gets more than a quota, what comes back meanwhile, and what each process had taken ahead of it."""
    clock, kept = Hands(), Alone()
    processes = [limiter(kept, quota, clock) for _ in range(3)]
    passed = []
    for which, pause, many in asked:
        clock.at += timedelta(milliseconds=pause)
        passed += [clock.at for _ in range(many) if passes(processes[which])]
    for begin, first in enumerate(passed):
        for end, last in enumerate(passed[begin:]):
            seconds = (last - first).total_seconds()
            assert end + 1 <= quota + seconds * quota / 60 + 1 + len(processes) * (quota // 100)


@given(quota=st.integers(1, 5_000), many=st.integers(1, 6_000))
@settings(max_examples=100, deadline=None)
def test_alone_one_gets_the_whole_quota_and_is_told_so(quota, many):
    one = limiter(Alone(), quota)
    told = []
    for _ in range(many):
        with suppress(TooMany):
            told.append(one.spend("key", "a").left)
    assert told == list(range(quota - 1, max(-1, quota - 1 - many), -1))


def test_it_comes_back_bit_by_bit_and_who_waits_as_he_was_told_gets_one():
    clock = Hands()
    one = limiter(Alone(), 6, clock)
    assert [passes(one) for _ in range(7)] == [True] * 6 + [False]
    with pytest.raises(TooMany) as refused:
        one.spend("key", "a")
    assert (refused.value.wait, refused.value.spent.told) == (10, '"key";r=0;t=60')
    assert refused.value.detail == "no more than 6 requests a minute for one key: ask again in 10 seconds"
    clock.at += timedelta(seconds=9.9)
    assert not passes(one)
    clock.at += timedelta(seconds=0.1)
    assert [passes(one), passes(one), passes(one, "b")] == [True, False, True]


def test_who_asks_much_is_rarely_looked_up():
    kept = Alone()
    one = limiter(kept, 60_000)
    assert all(passes(one) for _ in range(60_000))
    assert kept.asked < 150
    assert not passes(one)


def test_what_was_taken_ahead_is_not_good_for_long():
    clock, kept = Hands(), Alone()
    one = limiter(kept, 60_000, clock)
    for _ in range(4):
        passes(one)
    asked = kept.asked
    clock.at += timedelta(seconds=59)
    passes(one)
    assert kept.asked == asked
    clock.at += timedelta(seconds=1)
    passes(one)
    passes(one)
    assert kept.asked == asked + 2  # it began anew with one


@pytest.mark.parametrize("processes", [1, 2, 4, 8])
def test_who_asks_for_nearly_all_that_he_may_gets_it_through_however_many_processes(processes):
    """Nine tenths of the quota, evenly, for half an hour."""
    clock, kept = Hands(), Alone()
    each = [limiter(kept, 6_000, clock) for _ in range(processes)]
    for number in range(30 * 5_400):
        clock.at = T0 + timedelta(seconds=number * 60 / 5_400)
        assert passes(each[number * 7 % processes]), number


def test_without_a_policy_nothing_is_counted():
    kept = Alone()
    assert limiter(kept).spend("customer", "a") is None
    assert kept.asked == 0


def test_a_crowd_is_not_remembered_for_ever():
    clock = Hands()
    one = limiter(Alone(), 600, clock)
    for who in ("ann", "ann", *map(str, range(10_000))):
        passes(one, who)
    assert sorted(who for _, who in one.limiter._ahead) == ["9999", "ann"]  # of her one was taken that she didn't use


# ------------------------------------------------------------------------------------------------------------ shared


@pytest.fixture
def kept(world):
    return shared(world.store)


def test_what_is_shared_agrees_with_plain_arithmetic(kept, world):
    assert isinstance(kept, InFile if world.store.dialect == "sqlite" else InTable)
    plain, now = Alone(), MICRO
    for turn in range(120):
        now += turn % 7 * SECOND
        asked = {"cost": (1 + turn % 5) * 3 * SECOND, "window": 60 * SECOND, "now": now}
        who = bytes([turn % 2]) * 16
        assert kept.take(who, **asked) == plain.take(who, **asked)
        if turn % 40 == 39:
            kept.forget(now=now)


def test_two_at_the_same_time_never_get_the_same(kept):
    def ask(_):
        return kept.take(b"x" * 16, cost=SECOND, window=60 * SECOND, now=MICRO)[0]

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(ask, range(200))) == 60


def test_who_is_forgotten_had_his_whole_quota_again(kept, world):
    kept.take(b"a" * 16, cost=5 * SECOND, window=60 * SECOND, now=MICRO)
    kept.take(b"b" * 16, cost=50 * SECOND, window=60 * SECOND, now=MICRO)
    kept.forget(now=MICRO + 20 * SECOND)
    if world.store.dialect == "postgresql":
        assert [bytes(who) for (who,) in world.rows("SELECT subject FROM rate")] == [b"b" * 16]
    else:
        assert world.rows("SELECT * FROM rate") == []  # never in the ledger's own file
        assert rows(kept._path) == [(b"b" * 16,)]
    assert kept.take(b"b" * 16, cost=40 * SECOND, window=60 * SECOND, now=MICRO + 20 * SECOND)[0] is False


def rows(path):
    with sqlite3.connect(path) as opened:
        found = opened.execute("SELECT subject FROM rate").fetchall()
    opened.close()
    return found


def test_a_clock_that_was_set_back_locks_nobody_out(kept):
    asked = {"cost": 60 * SECOND, "window": 60 * SECOND}
    assert kept.take(b"a" * 16, **asked, now=MICRO + 7_200 * SECOND)[0]
    assert kept.take(b"a" * 16, **asked, now=MICRO) == (True, MICRO + 60 * SECOND)
    assert kept.take(b"a" * 16, **asked, now=MICRO)[0] is False


def test_a_damaged_file_is_made_anew_and_said(tmp_path, caplog):
    path = tmp_path / "x.db-rates"
    path.write_bytes(b"this is no database" * 300)
    assert InFile(path).take(b"a" * 16, cost=1, window=2, now=MICRO) == (True, MICRO + 1)
    assert "x.db-rates is damaged (SQLITE_NOTADB)" in caplog.text
    assert InFile(path).take(b"a" * 16, cost=1, window=2, now=MICRO) == (True, MICRO + 2)


def test_where_it_cannot_be_counted_it_is_said(tmp_path):
    with pytest.raises(DatabaseDown, match="x-rates can't be written: SQLITE_CANTOPEN"):
        InFile(tmp_path / "away" / "x-rates").take(b"a" * 16, cost=1, window=2, now=MICRO)


def test_processes_that_have_one_file_count_together(tmp_path):
    clock = Hands()
    both = [limiter(InFile(tmp_path / "x-rates"), 40, clock) for _ in range(2)]
    barrier = threading.Barrier(2)

    def ask(one):
        barrier.wait()
        return sum(passes(one) for _ in range(40))

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(ask, both)) == 40


def test_no_subject_is_written_down(tmp_path):
    limiter(InFile(tmp_path / "x-rates")).spend("key", "203.0.113.9")
    assert b"203.0.113.9" not in (tmp_path / "x-rates").read_bytes()


# ----------------------------------------------------------------------------------------------------------- address


@pytest.mark.parametrize(("peer", "forwarded", "hops", "told"), [
    ("203.0.113.9", "", 0, "203.0.113.9"),
    ("203.0.113.9:4711", "", 0, "203.0.113.9"),
    ("203.0.113.9", "198.51.100.1", 0, "203.0.113.9"),
    ("10.0.0.2", "198.51.100.1", 1, "198.51.100.1"),
    ("10.0.0.2", "6.6.6.6, 198.51.100.1", 1, "198.51.100.1"),
    ("10.0.0.2", "6.6.6.6,198.51.100.1, 10.0.0.3", 2, "198.51.100.1"),
    ("10.0.0.2", "198.51.100.1", 2, "10.0.0.2"),
    ("10.0.0.2", "", 1, "10.0.0.2"),
    ("2001:db8:1:2:3:4:5:6", "", 0, "2001:db8:1:2::/64"),
    ("[2001:db8:1:2:3:4:5:6]:443", "", 0, "2001:db8:1:2::/64"),
    ("fe80::1%eth0", "", 0, "fe80::/64"),
    ("::ffff:203.0.113.9", "", 0, "203.0.113.9"),
    ("", "", 0, ""),
    ("10.0.0.2", "x" * 900, 1, "x" * 64),
])  # fmt: skip
def test_a_request_is_counted_by_what_can_be_believed(peer, forwarded, hops, told):
    assert client(peer, forwarded, hops=hops) == told
