"""An audit judges at one time, names what is broken and what it could not judge, and is committed to in the ledger."""

import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

import pytest

from consent.audit import marks, reading
from consent.audit.checks import CHECKS
from consent.audit.findings import Check, Finding, Gap, Judged, Severity
from consent.audit.run import run
from consent.audit.tally import MOST_FINDINGS
from consent.base.canonical import b64u
from consent.base.errors import DatabaseDown, NotFound
from consent.register import proving, reopening
from consent.rights import correcting, exporting, looking
from tests.attacker import Attacker, other_commitment
from tests.builders import START, catalogue
from tests.erasing import erase
from tests.world import World

KEEP, USE = "remember:browsing", "use:browsing:recommendations"
NAMES = ["ledger", "checkpoints", "catalogue", "standing", "kept_without_use", "uses"]
SIX = [check for check in CHECKS if check.key in NAMES]


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


def audit(world, *checks, by="cy", **how):
    return run(world.deployment, checks or SIX, asked_by=by, **how)


def only(world, *keys):
    """Audit by some of the checks and return what each finding names."""
    report = audit(world, *(check for check in CHECKS if check.key in keys))
    assert report.all_gaps == []
    return [(one.check, str(one.severity), one.subject, one.why) for one in report.all_findings]


def check(function, key="stub"):
    return Check(key=key, title="A check for a test", function=function)


def finding(severity=Severity.HIGH, why="because"):
    return Finding(check="stub", severity=severity, subject="cus_1", why=why)


# --------------------------------------------------------------------------------------------------------- the report


def test_an_untouched_deployment_passes_and_every_check_has_judged_something(world):
    world.remember(world.ann, visits_past_month=3)
    world.recall([world.ann], ["visits_past_month"], purpose="recommendations")
    sign(world)

    report = audit(world)

    counts = {each.check: each.checked for each in report.checks}
    assert counts == {
        "ledger": world.size() - 1, "checkpoints": 1, "catalogue": 1, "standing": 2, "kept_without_use": 1, "uses": 1,
    }  # fmt: skip
    assert (report.status, report.all_findings, report.all_gaps) == ("passed", [], [])
    world.check_ledger()


def test_the_report_is_one_json_object_with_these_keys(world):
    sign(world)

    report = audit(world).as_json()

    assert list(report) == ["status", "findings", "gaps", "checks", "seconds"]
    assert [each["check"] for each in report["checks"]] == NAMES
    assert report["checks"][0] == {
        "check": "ledger",
        "title": "Every byte of the ledger is what it was when it was written",
        "checked": world.size() - 1,
        "seconds": 0.0,
        "status": "passed",
        "since": 0,
    }
    assert (report["status"], report["findings"], report["gaps"], report["seconds"]) == ("passed", [], [], 0.0)


def test_a_finding_and_a_gap_are_written_out(sqlite_world):
    report = audit(sqlite_world, check(lambda _: iter([finding(), Gap(check="stub", why="dark"), Judged(3)])))

    assert report.as_json() == {
        "status": "findings",
        "findings": [{"check": "stub", "severity": "high", "subject": "cus_1", "why": "because"}],
        "gaps": [{"check": "stub", "why": "dark"}],
        "checks": [
            {
                "check": "stub",
                "title": "A check for a test",
                "checked": 3,
                "seconds": 0.0,
                "status": "findings",
                "since": 0,
            }
        ],
        "seconds": 0.0,
    }


def test_an_audit_is_committed_to_in_the_ledger(world):
    sign(world)
    size = world.size()
    report = audit(world)

    with world.store.read() as work:
        anchor = marks.anchored(world.deployment.desk, work)
        sealed = reopening.sealed_at(work, 1, report.position)
        [(stored,)] = world.rows("SELECT report FROM audit_run")
    [entry] = reopening.reopened(world.deployment.desk.keys, sealed)
    assert anchor is not None
    assert (report.position, entry.kind, entry.why) == (size, "audit.completed", "")
    assert entry.payload == {
        "actor": "cy",
        "anchor": {"log": 1, "root": b64u(anchor.root), "size": size},
        "audit": report.audit,
        "checked": size + 4,
        "checks": NAMES,
        "findings": 0,
        "gaps": 0,
        "handled": [],
        "packs": [],
        "passed": ["checkpoints", "kept_without_use", "ledger", "standing"],
        "report": b64u(sha256(stored.encode()).digest()),
        "resolves": True,
        "status": "passed",
    }
    assert json.loads(stored) == report.as_json()
    world.check_ledger()


def test_the_next_audit_verifies_the_entry_of_the_last(world):
    sign(world)
    size = world.size()
    first = audit(world)
    sign(world)

    second = audit(world)

    assert (first.status, second.status, second.checks[0].checked) == ("passed", "passed", size + 1)


def test_findings_and_gaps_are_kept_one_by_one(world):
    report = audit(world, check(lambda _: iter([finding(), Gap(check="stub", why="dark")])), by="mia")

    assert world.rows('SELECT audit, kind, "check", severity, subject, why FROM finding ORDER BY kind, why') == [
        (report.audit, "finding", "stub", "high", "cus_1", "because"),
        (report.audit, "gap", "stub", "", "", "dark"),
        (report.audit, "gap", "audit", "", "", "nothing was judged"),
    ]


def test_all_checks_judge_at_one_time(sqlite_world):
    seen = []

    def look(evidence):
        seen.append(evidence.at)
        sqlite_world.clock.advance(seconds=2)
        yield Judged(1)

    report = audit(sqlite_world, check(look), check(look))

    assert (seen, [each.seconds for each in report.checks], report.seconds) == ([START, START], [2.0, 2.0], 4.0)


def test_an_audit_can_judge_at_a_past_time(world):
    world.remember(world.ann, visits_past_month=3)
    world.clock.advance(days=1_000)

    expired = [severity for _, severity, _, _ in only(world, "kept_without_use")]
    past = run(world.deployment, CHECKS, only=["kept_without_use"], asked_by="cy", at=START)

    assert (expired, past.status) == (["high"], "passed")


def test_only_so_many_findings_are_kept_and_the_rest_are_counted(sqlite_world):
    report = audit(sqlite_world, check(lambda _: iter([finding()] * (MOST_FINDINGS + 5))))

    assert len(report.all_findings) == MOST_FINDINGS + 1
    assert report.all_findings[-1].why == "and 5 more findings"


# ------------------------------------------------------------------------------------------ what never counts as passed


def test_an_audit_without_checks_has_not_passed(sqlite_world):
    report = run(sqlite_world.deployment, (), asked_by="cy")

    assert (report.status, report.all_gaps) == ("could_not_check", [Gap(check="audit", why="nothing was judged")])


def test_an_audit_that_met_nothing_to_judge_has_not_passed(sqlite_world):
    report = audit(sqlite_world, check(lambda _: iter([Judged(0)])))

    assert (report.status, report.as_json()["gaps"]) == (
        "could_not_check",
        [{"check": "audit", "why": "nothing was judged"}],
    )


def test_a_log_that_no_checkpoint_anchors_has_not_passed(world):
    report = audit(world)

    assert (report.status, report.all_findings) == ("could_not_check", [])
    assert report.all_gaps == [Gap(check="checkpoints", why="no entry lies under a checkpoint that holds")]


def test_a_crashed_check_is_a_gap_that_repeats_no_data_and_the_others_go_on(sqlite_world):
    def crash(_):
        yield Judged(7)
        yield finding()
        raise ValueError(sqlite_world.ann)

    report = audit(sqlite_world, check(crash), check(lambda _: iter([Judged(1)]), key="other"))

    assert report.all_gaps == [Gap(check="stub", why="could not check: ValueError")]
    assert [(each.check, each.checked, each.status) for each in report.checks] == [
        ("stub", 7, "findings"),
        ("other", 1, "passed"),
    ]
    assert sqlite_world.ann not in report.text()


def away(_):
    raise DatabaseDown


def test_a_check_that_only_crashes_leaves_the_audit_unjudged(sqlite_world):
    report = audit(sqlite_world, check(away), check(lambda _: iter([Judged(1)]), key="other"))

    why = "could not check: DatabaseDown (Not recorded: the database does not answer)"
    assert (report.status, report.all_gaps) == ("could_not_check", [Gap(check="stub", why=why)])


class Killed(BaseException):
    """What no guard catches."""


def test_a_killed_audit_is_shown_as_running_and_then_as_aborted_and_never_as_passed(world):
    def die(_):
        raise Killed

    with pytest.raises(Killed):
        audit(world, check(die))

    shown = []
    for minutes in (0, 59, 2):
        world.clock.advance(minutes=minutes)
        with world.store.read() as work:
            [past] = reading.newest(work, at=world.clock())
            shown.append((past.status, reading.one(work, past.audit, at=world.clock())[1]))
    assert shown == [("running", None), ("running", None), ("aborted", None)]


def test_an_audit_that_the_ledger_does_not_take_is_kept_with_a_gap(world):
    sign(world)
    attacker = Attacker(world)
    attacker.do(
        "INSERT INTO ledger_entry (log, seq, body, leaf) SELECT 1, :seq, body, leaf FROM ledger_entry WHERE seq = 1",
        seq=world.size(),
    )

    report = audit(world)

    with world.store.read() as work:
        past, stored = reading.one(work, report.audit, at=world.clock())
    assert [(one.check, one.subject) for one in report.all_findings] == [("ledger", f"ledger_entry {world.size()}")]
    [gap] = report.all_gaps
    assert (gap.check, gap.why.partition(": ")[0]) == ("audit", "the audit is not in the ledger")
    assert (past.status, past.position, stored) == ("findings", -1, report.as_json())


# ------------------------------------------------------------------------------------------------------- what is found


def test_a_changed_entry_is_found_and_named(world):
    sign(world)
    attacker = Attacker(world)
    attacker.rewrite(1, other_commitment(attacker.body(1)))

    assert only(world, "ledger", "checkpoints") == [
        ("ledger", "critical", "ledger_entry 1", "its bytes do not hash to its leaf")
    ]


def test_a_recomputed_tree_is_found_by_the_checkpoints(world):
    sign(world)
    attacker = Attacker(world)
    attacker.rewrite(1, other_commitment(attacker.body(1)), leaf=True)
    attacker.regrow()

    size = world.size()
    changed = f"an entry from 0 to {size - 1} was changed after it was signed"
    why = f"the checkpoint at size {size} signs another root: {changed}"
    assert only(world, "ledger", "checkpoints") == [("checkpoints", "critical", f"ledger_checkpoint {size}", why)]


def test_a_forged_catalogue_is_found_even_if_its_hash_was_forged_too(world):
    attacker = Attacker(world)
    body = "name = 'mine'"
    assert only(world, "catalogue") == []
    attacker.do("UPDATE catalogue_version SET body = body || :more, hash = :hash", more=" ", hash=bytes(32))

    assert only(world, "catalogue") == [
        ("catalogue", "critical", "catalogue_version 1", "entry 0 published other bytes"),
        ("catalogue", "critical", "catalogue_version 1", "its bytes do not hash to its hash"),
    ]
    attacker.do(
        "UPDATE catalogue_version SET body = :body, hash = :hash", body=body, hash=sha256(body.encode()).digest()
    )
    assert only(world, "catalogue")[-1][3] == "it can't be read any more"


def test_bits_exchanged_between_scopes_are_found(world):
    attacker = Attacker(world)
    world.publish(catalogue())
    [(first,), (second,)] = world.rows("SELECT scope FROM scope_bit WHERE bit IN (0, 1) ORDER BY bit")
    attacker.do("UPDATE scope_bit SET bit = 1000 WHERE bit = 0")
    attacker.do("UPDATE scope_bit SET bit = 0 WHERE bit = 1")

    assert only(world, "catalogue") == [
        ("catalogue", "critical", f"scope_bit {scope}", f"its bit is {bit}, and was published as {was}")
        for scope, bit, was in sorted([(first, 1000, 0), (second, 0, 1)])
    ]


def test_a_use_without_a_cause_and_one_from_a_place_that_the_ledger_has_not_are_found(world):
    world.remember(world.ann, visits_past_month=3)
    for _ in range(3):
        world.recall([world.ann], ["visits_past_month"], purpose="recommendations")
    one, other = [use for (use,) in world.rows("SELECT id FROM data_use ORDER BY id LIMIT 2")]
    assert only(world, "uses") == []
    world.tamper("UPDATE data_use SET reason = '' WHERE id = :use", use=one)
    world.tamper("UPDATE data_use SET position = 300 WHERE id = :use", use=other)

    why = "data of browsing were read for no decision, and no reason is written down"
    size = world.size()
    assert only(world, "uses") == [
        ("uses", "high", one, why),
        ("uses", "critical", other, f"it was judged at position 300, and the ledger ends at {size}"),
    ]


def looked(world):
    """Export what is kept of Ann, correct it, look at it; return the three uses, and the entries that tell of two."""
    world.remember(world.ann, main_interest="tea")
    desk, at, asked = world.deployment.desk, world.clock(), {"actor": "user:cy", "reason": "she asked"}
    with world.store.write() as work:
        first = exporting.start(desk, work, world.ann, exporting.Form.JSON, at=at, **asked)
        second = correcting.correct(desk, work, world.ann, {"main_interest": "roses"}, at=at, **asked)
        third = looking.start(desk, work, world.ann, looking.Why.ACCESS, at=at, **asked)
    [(corrected,)] = world.rows("SELECT id FROM data_use WHERE purpose = 'right:rectification'")
    world.clock.advance(hours=1)
    world.grant(world.bo, "contact:email:newsletter")
    return (first.id, corrected, third.id), (first.position, second.position)


def test_a_use_that_the_ledger_tells_of_and_is_gone_is_found_until_its_customer_is_erased(world):
    (exported, corrected, _), (first, second) = looked(world)
    before = only(world, "uses")
    Attacker(world).do("DELETE FROM data_use")
    found = only(world, "uses")
    erase(world, world.ann)
    assert (before, only(world, "uses")) == ([], [])
    assert found == [
        ("uses", "critical", exported, f"entry {first} tells of it, and it is not recorded"),
        ("uses", "critical", corrected, f"entry {second} tells of it, and it is not recorded"),
    ]


@pytest.mark.parametrize("column", ["actor", "customer", "purpose", "noted"])
def test_a_use_that_is_not_what_the_ledger_says_of_it_is_found(world, column):
    """Whoever looked at what is kept of a customer is somebody whom the customer sees, and the officer."""
    (exported, _, _), (place, _) = looked(world)
    others = {"actor": "user:otto", "customer": world.bo, "purpose": "right:access", "noted": 0}
    change = f"UPDATE data_use SET {column} = :other WHERE id = :use"  # noqa: S608 -- a name from above
    Attacker(world).do(change, other=others[column], use=exported)
    assert only(world, "uses") == [("uses", "critical", exported, f"its {column} is not what entry {place} says")]


def test_a_look_that_is_said_to_have_been_at_another_time_is_found(world):
    (exported, _, seen), (place, _) = looked(world)
    Attacker(world).do("UPDATE data_use SET at = at - 7200000 WHERE id IN (:one, :other)", one=exported, other=seen)
    assert [(subject, why.partition(" 2026-")[0]) for _, _, subject, why in only(world, "uses")] == [
        (seen, f"it was judged at position {place + 2}, and is said to be of"),  # the export may have been that early
        (exported, "it is said to be of"),
    ]


# ----------------------------------------------------------------------------------------------------- kept without use


def left_behind(world, customer):
    """Leave something of a customer in memory, as if it had been forgotten to forget it."""
    world.tamper("INSERT INTO memory VALUES (:who, 'browsing', :blob, 0)", who=customer, blob=b"")


def test_what_is_kept_against_a_customers_word_is_found_by_category_and_reason(world):
    [cleo, dee] = world.enrol("CLEO", "DEE")
    for customer in (cleo, dee):
        world.grant(customer, KEEP, USE)
        world.remember(customer, visits_past_month=3)
    assert only(world, "kept_without_use") == []
    world.withdraw(cleo, USE)
    world.withdraw(dee, KEEP)
    left_behind(world, dee)
    left_behind(world, world.bo)

    assert sorted(only(world, "kept_without_use")) == [
        ("kept_without_use", severity, "browsing", f"kept of 1 customer, though {why}")
        for severity, why in [
            ("high", f"remembering it is not permitted (NO_RECORD): {world.bo}"),
            ("high", f"remembering it is not permitted (WITHDRAWN): {dee}"),
            ("medium", f"no use of it is permitted: {cleo}"),
        ]
    ]


def test_what_is_kept_in_a_category_that_the_catalogue_does_not_know_is_found(world):
    world.tamper("INSERT INTO memory VALUES (:who, 'shoe_size', :blob, 0)", who=world.ann, blob=b"")

    why = f"kept of 1 customer, though remembering it is not permitted (UNKNOWN_SCOPE): {world.ann}"
    assert only(world, "kept_without_use") == [("kept_without_use", "high", "shoe_size", why)]


def test_where_what_a_customer_said_cannot_be_read_keeping_it_is_a_gap(world):
    world.remember(world.ann, visits_past_month=3)
    world.tamper("UPDATE ledger_payload SET sealed = :blob WHERE owner = :ann", blob=bytes(40), ann=world.ann)

    report = audit(world, only=["kept_without_use"])
    why = "of 1 customer of whom something is kept, what they said can't be read"
    assert (report.status, report.all_gaps) == ("could_not_check", [Gap(check="kept_without_use", why=why)])


def test_what_is_paused_or_restricted_may_be_kept(world):
    world.remember(world.ann, visits_past_month=3)
    world.say(world.statement(world.ann, "pause"))
    world.say(world.statement(world.ann, "restrict"))

    assert (world.reason(world.ann, USE), only(world, "kept_without_use")) == ("RESTRICTED", [])


def test_a_forged_standing_row_does_not_hide_what_is_kept(world):
    world.remember(world.ann, visits_past_month=3)
    [(scopes,)] = world.rows("SELECT scopes FROM standing WHERE customer = :ann", ann=world.ann)
    world.withdraw(world.ann, KEEP)
    world.tamper("UPDATE standing SET scopes = :scopes WHERE customer = :ann", scopes=bytes(scopes), ann=world.ann)
    left_behind(world, world.ann)

    assert [severity for _, severity, _, _ in only(world, "kept_without_use")] == ["high"]


def test_only_the_first_twenty_customers_are_named(sqlite_world):
    customers = sqlite_world.enrol(*(f"C{number:02}" for number in range(25)))
    sqlite_world.say(*(sqlite_world.statement(customer, "grant", KEEP, USE) for customer in customers))
    for customer in customers:
        sqlite_world.remember(customer, visits_past_month=1)
    sqlite_world.say(*(sqlite_world.statement(customer, "withdraw", USE) for customer in customers))

    [(_, _, _, why)] = only(sqlite_world, "kept_without_use")
    named = ", ".join(sorted(customers)[:20])
    assert why == f"kept of 25 customers, though no use of it is permitted: {named} and 5 more"


# --------------------------------------------------------------------------------------------------------- past audits


def test_past_audits_are_listed_the_newest_first(world):
    size = world.size()
    audit(world, check(lambda _: iter([Judged(1)])))
    world.clock.advance(hours=1)
    audit(world, check(lambda _: iter([finding(), Judged(1)])), by="worker")

    with world.store.read() as work:
        listed = reading.newest(work, at=world.clock())
    assert [(past.started_at, past.status, past.asked_by, past.position) for past in listed] == [
        (START + timedelta(hours=1), "findings", "worker", size + 1),
        (START, "passed", "cy", size),
    ]


def test_an_unknown_audit_is_not_found(sqlite_world):
    with sqlite_world.store.read() as work, pytest.raises(NotFound):
        reading.one(work, "aud_nothing", at=START)


@dataclass
class Ticking:
    """A deployment whose clock moves on by a second with each look."""

    world: World

    @property
    def store(self):
        return self.world.store

    @property
    def desk(self):
        return self.world.deployment.desk

    @property
    def horizon(self):
        return self.world.deployment.horizon

    @property
    def witnessed(self):
        return self.world.deployment.witnessed

    def clock(self):
        return self.world.clock.advance(seconds=1)


def test_each_check_says_how_long_it_took(sqlite_world):
    report = run(Ticking(sqlite_world), (check(lambda _: iter([Judged(1)])),) * 2, asked_by="cy")

    assert ([each.seconds for each in report.checks], report.seconds) == ([1.0, 1.0], 5.0)
