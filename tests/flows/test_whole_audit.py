"""A deployment in which everything has happened passes every check, in full and incrementally, and all are judged."""

from datetime import timedelta

from api.checks import CHECKS
from consent import jobs
from consent.audit.run import run
from consent.permission.statement import Method
from consent.register import merging, proving, rekeying, reminders, rotating, sealing, snapshots
from consent.rights import requests
from consent.rights.asked import Outcome, Right
from consent.rights.requests import Asking
from personalise import engine
from personalise.runs import run as runs
from tests.campaigns import fill, open_run, publish
from tests.erasing import erase, lift, suppress, verify
from tests.flows.test_notices import newer

KEEP, USE, NEWS = "remember:browsing", "use:browsing:recommendations", "contact:email:newsletter"
BEAT = "worker.heartbeat"


def sign(world):
    with world.store.write() as work:
        jobs.beat(work, BEAT, "a worker", at=world.clock())
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def audit(world, **how):
    report = run(world.deployment, CHECKS, asked_by="cy", **how)
    assert (report.all_findings, report.all_gaps, report.status) == ([], [], "passed")
    sign(world)
    return {each.check: each.checked for each in report.checks}


def snapshot(world):
    snapshots.take(world.store, world.deployment.desk, actor="worker", clock=world.clock, fence=lambda _work: None)
    sign(world)


def spoken(world):
    """Have customers say all that can be said, in any order."""
    [cleo, dee, eve] = world.enrol("CLEO", "DEE", "EVE")
    world.grant(cleo, KEEP, USE, NEWS, age=40)
    world.grant(cleo, NEWS)
    world.clock.advance(seconds=1)
    world.say(world.statement(cleo, "renew", KEEP))
    world.refuse(dee, NEWS, said_at=world.clock() - timedelta(days=3))
    world.grant(dee, KEEP, USE, said_at=world.clock() - timedelta(hours=1), guardian=True, age=12)
    world.object(dee, USE)
    world.say(world.statement(dee, "refuse", method=Method.SIGNAL, evidence="Sec-GPC: 1"))
    for act in ("pause", "resume", "restrict", "lift"):
        world.say(world.statement(eve, act))
    world.say(world.statement(eve, "request", NEWS))
    return cleo, dee, eve


def lived(world):
    """Let everything happen that the consent side knows of."""
    desk, store = world.deployment.desk, world.deployment.store
    cleo, dee, eve = spoken(world)
    [old, gone, shy] = world.enrol("OLD", "GONE", "SHY")
    world.grant(old, KEEP, USE)
    world.grant(gone, KEEP, USE)
    for customer in (gone, cleo):
        world.remember(customer, visits_past_month=1)
    world.recall([cleo], ["visits_past_month"], purpose="recommendations")
    with store.write() as work:
        asked = requests.take_in(desk, work, gone, Asking(kind=Right.ERASURE), actor="cy", at=world.clock())
        access = Asking(kind=Right.ACCESS, wish="everything")
        wanted = requests.take_in(desk, work, cleo, access, actor="cy", at=world.clock())
        merging.merge(desk, work, old, eve, actor=world.cy, at=world.clock())
    sign(world)
    suppress(world, "ann@shop.example")
    suppress(world, "nobody@shop.example")
    lift(world, "nobody@shop.example")
    erase(world, gone)
    verify(world)
    with store.write() as work:
        requests.close(desk, work, asked.id, Outcome.FULFILLED, actor="cy", at=world.clock())
        requests.close(desk, work, wanted.id, Outcome.REFUSED, actor="cy", at=world.clock(), answer="You have it.")
    world.publish(newer(version=2, material=True, de="Dürfen wir, noch einmal?"))
    world.grant(shy, USE)
    rekeying.rotate(desk, store, actor="cy", clock=world.clock)
    with store.write() as work:
        rotating.rotate(desk, work, actor="shell", at=world.clock())
    return cleo, dee, eve, shy


def test_a_deployment_in_which_everything_has_happened_passes_in_full_and_incrementally(world):
    cleo, *_ = lived(world)
    sign(world)
    snapshot(world)
    first = audit(world)
    world.clock.advance(minutes=1)
    world.withdraw(cleo, NEWS)
    sign(world)
    second = audit(world, incremental=True)
    world.clock.advance(days=1)
    reminders.queue(world.deployment.desk, world.deployment.store, at=world.clock(), days=30)
    snapshot(world)
    third = audit(world)

    nothing_there = [check for check, count in first.items() if not count]
    assert nothing_there == [
        "audits", "packs", "witness", "marks", "decision_log", "versions", "decisions", "replay",
        "price_parity", "contacts", "commitments", "deferrals", "dispatch", "goodwill", "wishes", "quotas",
        "campaigns", "approvals",
    ]  # fmt: skip
    assert (first["standing"], second["standing"], third["standing"]) == (8, 1, 8)
    assert (first["snapshot"], second["snapshot"], third["snapshot"]) == (8, 0, 8)
    world.check_ledger()


def test_a_deployment_that_has_gone_on_to_another_log_passes(world):
    lived(world)
    sign(world)
    audit(world)
    world.clock.set(world.clock().replace(year=world.clock().year + 1, month=1, day=2))
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=world.clock())
        jobs.beat(work, BEAT, "a worker", at=world.clock())
    world.grant(world.bo, KEEP, USE)
    reminders.queue(world.deployment.desk, world.deployment.store, at=world.clock(), days=30)
    snapshot(world)

    assert audit(world, incremental=True)["standing"] == 1
    assert audit(world)["standing"] == 8
    world.grant(world.bo, NEWS)
    sign(world)
    assert audit(world, incremental=True)["standing"] == 1
    world.check_ledger()


def test_decisions_of_runs_and_of_the_moment_pass_and_so_they_do_of_somebody_erased_since(world):
    publish(world)
    who = fill(world, 30)
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=20)
    world.clock.advance(hours=1)
    for customer in who[:3]:
        engine.decide_one(world.deployment, customer, campaign="spring", actor="mia")
    erase(world, who[0])
    verify(world)
    sign(world)
    counts = audit(world)
    world.clock.advance(hours=1)
    runs.advance(world.deployment, open_run(world.deployment, "spring", actor="mia"), most=20)
    sign(world)
    later = audit(world, incremental=True)

    assert (counts["decision_log"], counts["decisions"], counts["campaigns"]) == (35, 33, 1)
    assert (later["decision_log"], later["decisions"]) == (32, 32)
