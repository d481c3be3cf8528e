"""Audits of what customers wish: it is what they said last, and nobody changes it behind the ledger's back."""

import pytest

from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.register import merging
from personalise import audit_checks, wishes
from personalise.audit_checks import wishes as check
from personalise.wishes import ANY, NONE, Limit, Quiet, Wishes
from tests.erasing import erase

ONE = [each for each in audit_checks.CHECKS if each.key == "wishes"]


def wish(world, who, wanted):
    with world.store.write() as work:
        made = wishes.change(world.deployment.desk, work, who, wanted, actor="him", at=world.clock())
    return made.position


def audited(world):
    evidence = Evidence(store=world.store, desk=world.deployment.desk, at=world.clock())
    [went] = judged(ONE, evidence, world.clock)
    return [(each.subject, each.why) for each in went.findings], [each.why for each in went.gaps], went.checked


@pytest.fixture
def wishing(world):
    """Return a world in which Ann changed her mind, Bo wishes quiet and Cleo took all back; nothing is wrong."""
    [cleo] = world.enrol("CLEO")
    wish(world, world.ann, Wishes(limits={"email": Limit(1, 30)}))
    wish(world, world.ann, Wishes(limits={"email": Limit(2, 30), ANY: Limit(4, 30)}, quiet=Quiet(1_320, 420)))
    wish(world, world.bo, Wishes(quiet=Quiet(0, 60)))
    wish(world, cleo, Wishes(limits={"sms": Limit(0, 1)}))
    wish(world, cleo, NONE)
    assert audited(world) == ([], [], 3)
    return world


def last(world, who):
    """Return the position of a customer's last change: he takes it back, and says it again."""
    with world.store.read() as work:
        stands = wishes.of(wishes.read(work, [who]), who)
    wish(world, who, NONE)
    return wish(world, who, stands)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ("UPDATE wish SET most = most + 1 WHERE customer = :who AND channel = 'email'", "his limit for email"),
        ("UPDATE wish SET days = 7 WHERE customer = :who AND channel = '*'", "his limit for *"),
        ("UPDATE wish SET quiet_from = 0 WHERE customer = :who AND channel = ''", "his quiet hours"),
        ("UPDATE wish SET channel = 'sms' WHERE customer = :who AND channel = 'email'",
         "his limit for email, his limit for sms"),
        ("DELETE FROM wish WHERE customer = :who", "his quiet hours, his limit for *, his limit for email"),
        ("INSERT INTO wish VALUES (:who, 'post', 1, 1, 0, 0, 0, '')", "his limit for post"),
    ],
)  # fmt: skip
def test_what_stands_otherwise_than_he_said_is_found(wishing, change, names):
    position = last(wishing, wishing.ann)
    wishing.tamper(change, who=wishing.ann)
    why = f"what stands is not what he said by entry {position}: {names}"
    assert audited(wishing) == ([(wishing.ann, why)], [], 3)


def test_what_nobody_said_is_found(wishing):
    [dora] = wishing.enrol("DORA")
    wishing.tamper("INSERT INTO wish VALUES (:who, 'email', 1, 1, 0, 0, 0, '')", who=dora)
    assert audited(wishing) == ([(dora, "1 of his wishes stand, and no entry says so")], [], 4)


def test_of_whoever_was_erased_nothing_stands(wishing):
    erase(wishing, wishing.ann)
    assert audited(wishing) == ([], [], 3)
    wishing.check_ledger()
    wishing.tamper("INSERT INTO wish VALUES (:who, 'email', 1, 1, 0, 0, 0, '')", who=wishing.ann)
    assert audited(wishing) == ([(wishing.ann, "1 of his wishes stand, and he was erased")], [], 3)


def test_what_does_not_open_any_more_is_a_gap(wishing):
    position = last(wishing, wishing.bo)
    wishing.tamper("DELETE FROM data_key WHERE owner = :who", who=wishing.bo)
    assert audited(wishing) == ([], [f"what entry {position} says of {wishing.bo} does not open"], 3)


def test_wishes_of_two_records_that_were_joined_are_in_the_ledger_too(wishing):
    with wishing.store.write() as work:
        merging.merge(wishing.deployment.desk, work, wishing.bo, wishing.ann, actor="cy", at=wishing.clock())
    assert audited(wishing) == ([], [], 3)
    wishing.check_ledger()


def test_who_says_something_else_while_he_is_looked_at_is_looked_at_again(wishing, monkeypatch):
    """He changes it after the entries were read and before the table is."""
    real = check._next
    changes = iter([Wishes(limits={"email": Limit(5, 30)})])

    def meanwhile(work, said, after):
        for each in changes:
            wish(wishing, wishing.ann, each)
        return real(work, said, after)

    monkeypatch.setattr(check, "_next", meanwhile)
    assert audited(wishing) == ([], [], 3)


def test_many_customers_are_looked_at_page_by_page(wishing, monkeypatch):
    monkeypatch.setattr(check, "_PAGE", 2)
    wishing.tamper("DELETE FROM wish WHERE customer = :who", who=wishing.bo)
    [(subject, _)], gaps, checked = audited(wishing)
    assert (subject, gaps, checked) == (wishing.bo, [], 3)
