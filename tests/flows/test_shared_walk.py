"""The one walk over all customers that several checks share: each payload is read and opened once."""

from functools import partial

import pytest
from typing_extensions import override

from api.checks import CHECKS as BOTH
from consent.audit import pages
from consent.audit.apart import Apart
from consent.audit.checks import CHECKS, standing
from consent.audit.findings import Check, Evidence, Finding, Gap, Judged, Reader, Severity
from consent.audit.judging import judged, pages_of, walked
from consent.audit.run import run
from consent.base.errors import DatabaseDown
from consent.ledger import entry
from consent.register import proving
from personalise.runs import run as runs
from tests.attacker import Attacker
from tests.campaigns import open_run, publish, willing
from tests.opening import die, open_as_it_is

KEEP, USE, NEWS = "remember:browsing", "use:browsing:recommendations", "contact:email:newsletter"
WALKING = ("notices", "keys", "standing", "expiry", "kept_without_use")


@pytest.fixture
def many(world):
    """Return a world with 25 customers who have said up to four things each."""
    customers = world.enrol(*(f"C{number:02}" for number in range(25)))
    for turn in range(4):
        for number, customer in enumerate(customers):
            if number % 5 >= turn:
                world.say(world.statement(customer, "withdraw" if turn % 2 else "grant", KEEP, USE))
    return world


def evidence_of(world):
    return Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())


def seen(world, **how):
    """Return whom a walk comes by, in order, with what each said."""
    return [(one.id, one.enrolled, len(one.said), one.standing) for page in pages_of(evidence_of(world), **how)
            for one in page]  # fmt: skip


class Looking(Reader):
    """A reader that keeps what it sees, and does what it is told to."""

    def __init__(self, does=lambda _: ()):
        self.seen = []
        self.does = does

    @override
    def customer(self, one):
        self.seen.append(one.id)
        return self.does(one)

    @override
    def end(self):
        return [Judged(len(self.seen))]


def check(key, reader):
    return Check(key=key, title="A check for a test", function=lambda _: reader)


def test_every_check_that_looks_at_customers_opens_each_payload_once_between_them(many, monkeypatch):
    opened = []
    real = entry.opens

    def opens(plain, commitment):
        opened.append(1)
        return real(plain, commitment)

    monkeypatch.setattr(entry, "opens", opens)
    report = run(many.deployment, CHECKS, asked_by="cy", only=WALKING)

    [(payloads,)] = many.rows("SELECT count(*) FROM ledger_payload WHERE owner <> 'log'")
    notices = many.rows("SELECT count(DISTINCT position) FROM notice")[0][0]
    looked_up = 2 * notices  # those that the wordings name, and those that name wordings
    assert report.status == "passed"
    assert len(opened) - looked_up == payloads == 71


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_several_processes_find_between_them_what_one_finds(many, processes):
    publish(many, campaign={"holdout": {"share": 0, "salt": "s"}})
    willing(many, 20)
    runs.advance(many.deployment, open_run(many.deployment, "spring", actor="mia"), most=15)
    with many.store.write() as work:
        proving.sign_checkpoint(many.deployment.desk, work, at=many.clock())
    tampered(many)
    only = [*WALKING, "decisions"]
    alone = run(many.deployment, BOTH, asked_by="cy", only=only)
    among = Apart(processes=processes, opened=partial(open_as_it_is, many.url, many.keyring), least=5)
    together = run(many.deployment, BOTH, asked_by="cy", only=only, among=among)

    def came(report):
        found = sorted((one.check, one.severity, one.subject, one.why) for one in report.all_findings)
        return found, sorted(one.why for one in report.all_gaps), {each.check: each.checked for each in report.checks}

    assert came(together) == came(alone)
    assert {check for check, *_ in came(alone)[0]} == {"standing", "keys", "expiry", "kept_without_use", "decisions"}


def tampered(world):
    """Do something to customers at both ends, and in the middle."""
    everybody = [one for (one,) in world.rows("SELECT id FROM customer ORDER BY id")]
    for customer in (everybody[0], everybody[20], everybody[-1]):
        world.tamper("UPDATE standing SET counter = 9 WHERE customer = :who", who=customer)
        world.tamper("INSERT INTO memory VALUES (:who, 'browsing', :blob, 0)", who=customer, blob=b"")
    world.tamper("UPDATE data_key SET wrapped = :junk WHERE owner = :who", junk=bytes(60), who=everybody[3])
    attacker = Attacker(world)
    decided = [one for (one,) in world.rows("SELECT customer FROM contact ORDER BY customer")]
    for customer in (decided[0], decided[10], decided[-1]):
        attacker.do("DELETE FROM ledger_payload WHERE owner = :who", who=customer)


def test_a_process_that_dies_is_a_gap_in_every_check_that_was_on_its_way(many):
    among = Apart(processes=2, opened=die, least=5)
    report = run(many.deployment, CHECKS, asked_by="cy", only=["standing", "keys", "horizon"], among=among)

    why = "could not check: BrokenProcessPool"
    assert report.all_gaps == [Gap(check=key, why=why) for key in ("keys", "standing")]
    assert (report.status, report.all_findings) == ("could_not_check", [])


@pytest.mark.parametrize(("page", "payloads"), [(1, 1), (3, 10_000), (1_000, 5), (7, 7)])
def test_however_long_a_page_is_everybody_is_seen_once_and_in_order(many, monkeypatch, page, payloads):
    whole = seen(many)
    monkeypatch.setattr(pages, "PAGE", page)
    monkeypatch.setattr(pages, "_FULL_AT", pages.full_at(payloads))

    assert seen(many) == whole
    assert [one for one, *_ in whole] == [one for (one,) in many.rows("SELECT id FROM customer ORDER BY id")]


def test_a_page_holds_no_more_customers_and_payloads_than_it_may(many, monkeypatch):
    monkeypatch.setattr(pages, "PAGE", 10)
    monkeypatch.setattr(pages, "_FULL_AT", pages.full_at(9))
    sizes = [(len(page.customers), len(page.sealed.rows)) for page in pages_of(evidence_of(many))]

    assert max(customers for customers, _ in sizes) <= 10
    assert max(payloads for _, payloads in sizes) <= 9 + 4  # the customer with whom it is full, to his end


def test_a_range_of_ids_is_walked_by_itself(many):
    whole = seen(many)
    evidence = evidence_of(many)
    middle = whole[13][0]
    everybody = pages_of(evidence)
    halves = [
        [one.id for page in pages.Pages(store=everybody.store, desk=everybody.desk, bits=everybody.bits, **bounds)
         for one in page]
        for bounds in ({"until": middle}, {"after": middle})
    ]  # fmt: skip

    assert halves == [[one for one, *_ in whole[:14]], [one for one, *_ in whole[14:]]]


def test_a_reader_that_breaks_off_is_a_gap_and_the_others_see_everybody(many):
    def breaks(one):
        if len(broken.seen) == 3:
            raise ValueError(one.id)
        return [Finding(check="broken", severity=Severity.LOW, subject=one.id, why="y"), Judged(1)]

    broken, whole = Looking(breaks), Looking()
    went = judged([check("broken", broken), check("whole", whole)], evidence_of(many), many.clock)

    assert (len(broken.seen), len(whole.seen)) == (3, 27)
    assert [(each.check, each.checked, len(each.findings), each.gaps) for each in went] == [
        ("broken", 5, 2, (Gap(check="broken", why="could not check: ValueError"),)),
        ("whole", 27, 0, ()),
    ]


def test_a_reader_that_can_not_even_begin_is_a_gap(many):
    def fails(_):
        raise DatabaseDown

    whole = Looking()
    failing = Check(key="failing", title="A check for a test", function=fails)
    went = judged([failing, check("whole", whole)], evidence_of(many), many.clock)

    assert [(each.status, len(each.gaps)) for each in went] == [("could_not_check", 1), ("passed", 0)]
    assert len(whole.seen) == 27


def test_what_breaks_the_walk_is_a_gap_in_every_check_that_took_part(sqlite_world):
    sqlite_world.tamper("ALTER TABLE reminder RENAME TO gone")
    one, two = Looking(), Looking()
    went = judged([check("one", one), check("two", two)], evidence_of(sqlite_world), sqlite_world.clock)

    why = "could not check: DatabaseDown (Not recorded: the database does not answer)"
    assert [each.gaps for each in went] == [(Gap(check=key, why=why),) for key in ("one", "two")]


def test_a_finding_that_comes_up_at_the_end_counts(many):
    class AtTheEnd(Looking):
        @override
        def end(self):
            yield Finding(check="end", severity=Severity.HIGH, subject="x", why="y")
            yield Judged(len(self.seen))

    [went] = judged([check("end", AtTheEnd())], evidence_of(many), many.clock)
    assert (went.checked, [one.subject for one in went.findings]) == (27, ["x"])


def test_readers_can_walk_without_an_audit(many):
    evidence = evidence_of(many)
    found = list(walked(evidence, [standing.Standings(evidence)]))

    assert sum(each.count for each in found if isinstance(each, Judged)) == len(found) == 27
    with pytest.raises(TypeError):
        Looking().join(object())
