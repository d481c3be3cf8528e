"""Audits beside all else that goes on: what is as it should be is never found wrong, and what is wrong always."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count

import pytest

from api.checks import CHECKS
from consent.audit.findings import Check, Evidence, Finding, Gap, Judged, Severity
from consent.audit.judging import judged
from consent.audit.run import run
from consent.base.errors import DatabaseDown
from consent.register import merging, proving
from consent.rights import correcting, requests
from consent.rights.asked import Right
from consent.rights.requests import Asking
from personalise import engine
from personalise.runs import run as runs
from tests.attacker import Attacker
from tests.campaigns import open_run, publish, willing
from tests.erasing import erase, lift, suppress
from tests.flows.test_campaign_life import put
from tests.flows.test_contact_policy import rule
from tests.flows.test_quotas import BY_MAIL, HELD, priced

NEWS = "contact:email:newsletter"
PACE_S = 0.005
"""Between one thing that happens and the next: others, such as the audit, write as well."""


def going_on(world, who) -> Iterator[Callable[[], object]]:
    """Return all that people and programs do, in turn and without end."""
    desk, spare = world.deployment.desk, list(who[-40:])

    def asked(customer):
        with world.store.write() as work:
            made = requests.take_in(desk, work, customer, Asking(kind=Right.ACCESS), actor="cy", at=world.clock())
        with world.store.write() as work:
            requests.assign(desk, work, made.id, "cy", actor="cy", at=world.clock())

    def corrected(customer):
        with world.store.write() as work:
            correcting.correct(desk, work, customer, {"main_interest": "tea"}, actor="cy", reason="x", at=world.clock())

    def joined(one, other):
        with world.store.write() as work:
            merging.merge(desk, work, one, other, actor="cy", at=world.clock())

    def campaign(version):
        put(world, four_eyes=False, campaign={"key": "other", "name": f"Spring {version}"})

    decided = partial(engine.decide_one, world.deployment, campaign="spring", actor="mia")
    for number in count(1):
        customer, other = who[number % 100], who[100 + number % 100]
        yield partial(decided, customer, carried=True)
        yield partial(world.grant, other, NEWS)
        yield partial(decided, other)
        yield partial(asked, customer)
        yield partial(corrected, customer)
        yield partial(campaign, number)
        yield partial(rule, world, weight_of_benefit=number / 10_000)
        yield partial(suppress if number % 2 else lift, world, "ann@shop.example")
        if len(spare) > 3:
            yield partial(joined, spare.pop(), spare.pop())
            yield partial(erase, world, spare.pop())


@contextmanager
def busy(world, who) -> Iterator[None]:
    """Let all that go on while the block runs."""
    over, died = threading.Event(), []

    def go():
        try:
            for step in going_on(world, who):
                if over.wait(PACE_S):
                    return
                step()
        except BaseException as failed:
            died.append(failed)
            raise

    thread = threading.Thread(target=go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    assert not died


@pytest.fixture
def shop(world):
    """Return a world in which a run has decided, with a volume and a budget, and who is in it."""
    priced(world)
    volume = [{"key": "desk", "treatments": ["mail"], "limit": 60}]
    publish(world, treatment=[BY_MAIL], cap=[], volume=volume, campaign={"goodwill_budget": 500, "holdout": HELD})
    who = willing(world, 240)
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=50)
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    return world, who


def found(report):
    told = [(one.check, str(one.severity), one.subject, one.why) for one in report.all_findings]
    return told + [("gap", each.check, each.why) for checked in report.checks for each in checked.gaps]


def test_an_honest_audit_finds_nothing_while_everything_else_goes_on(shop):
    world, who = shop
    quiet = found(run(world.deployment, CHECKS, asked_by="cy"))
    size = world.size()
    with busy(world, who):
        reports = [run(world.deployment, CHECKS, asked_by="cy") for _ in range(2)]
    assert [[one for one in found(each) if one not in quiet] for each in reports] == [[], []]
    assert world.size() > size + 20


def test_what_is_wrong_is_found_while_everything_else_goes_on(shop):
    world, who = shop
    attacker = Attacker(world)
    [(chunk,)] = world.rows("SELECT id FROM decision_chunk ORDER BY id LIMIT 1")
    attacker.do("UPDATE decision_chunk SET root = :root WHERE id = :id", root=bytes(32), id=chunk)
    attacker.do("UPDATE campaign_version SET published_by = 'otto' WHERE key = 'spring'")
    with busy(world, who):
        report = run(world.deployment, CHECKS, asked_by="cy", only=["decision_log", "versions"])
    assert ("decision_log", chunk) in {(check, subject) for check, _, subject, _ in found(report)}


# ------------------------------------------------------------------------------------------------------ looked at again


class Checking:
    """A check that comes upon something else each time it looks; what happens meanwhile is up to the test."""

    def __init__(self, world, *looks, meanwhile=None):
        self.looks, self.looked = looks, 0
        self._meanwhile = meanwhile or (lambda: world.grant(world.bo, NEWS))

    def __call__(self, _evidence):
        self.looked += 1
        if self.looked == 1:
            self._meanwhile()
        yield Judged(1)
        for each in self.looks[self.looked - 1]:
            if isinstance(each, Exception):
                raise each
            yield each

    def went(self, world):
        evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
        [checked] = judged([Check(key="c", title="t", function=self)], evidence, world.clock)
        return [one.subject for one in checked.findings], len(checked.gaps), self.looked


def wrong(subject):
    return Finding(check="c", severity=Severity.HIGH, subject=subject, why=f"{subject} is wrong")


UNREAD = Gap(check="c", why="unread")


def test_of_what_was_found_while_the_ledger_grew_that_counts_which_is_found_again(sqlite_world):
    looks = [wrong("stays"), wrong("passes")], [wrong("stays"), wrong("new")]
    assert Checking(sqlite_world, *looks).went(sqlite_world) == (["stays"], 0, 2)


def test_where_nothing_was_written_and_where_nothing_was_found_nothing_is_looked_at_again(sqlite_world):
    assert Checking(sqlite_world, [wrong("it")], meanwhile=lambda: None).went(sqlite_world) == (["it"], 0, 1)
    assert Checking(sqlite_world, []).went(sqlite_world) == ([], 0, 1)


def test_a_second_look_that_breaks_off_says_nothing_against_the_first(sqlite_world):
    looks = [wrong("one"), wrong("other")], [wrong("one"), DatabaseDown("gone")]
    assert Checking(sqlite_world, *looks).went(sqlite_world) == (["one", "other"], 0, 2)


def test_what_could_not_be_read_at_first_and_can_be_the_second_time_is_no_gap(sqlite_world):
    assert Checking(sqlite_world, [UNREAD], [wrong("it")]).went(sqlite_world) == (["it"], 0, 2)
    assert Checking(sqlite_world, [UNREAD], [UNREAD, wrong("it")]).went(sqlite_world) == ([], 1, 2)


def test_of_more_findings_than_are_kept_all_count(sqlite_world):
    flood = [wrong(str(number)) for number in range(1_001)]
    kept, gaps, looked = Checking(sqlite_world, flood, flood[:1]).went(sqlite_world)
    assert (len(kept), gaps, looked) == (1_001, 0, 2)
