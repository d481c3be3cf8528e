"""Each check of the consent side finds what it is for: what was tampered with, and what was left undone."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

import pytest

from consent import jobs, uses
from consent.audit import life
from consent.audit.checks import CHECKS, clock, horizon
from consent.audit.findings import Evidence, Finding, Gap
from consent.audit.run import run
from consent.base import schema
from consent.base.canonical import b64u
from consent.base.clock import to_ms
from consent.base.ids import Scope
from consent.catalogue.reading import DEFAULT
from consent.register import alarms, merging, proving, recording, rekeying, reminders, rotating, rules, snapshots
from consent.register.alarms import AlarmKind
from consent.rights import requests
from consent.rights.asked import Outcome, Right
from consent.rights.horizon import Horizon
from consent.rights.requests import Asking
from consent.uses import Use
from tests.attacker import Attacker
from tests.builders import CATALOGUE, START, toml
from tests.erasing import erase, lift, suppress, verify

KEEP, USE, NEWS = "remember:browsing", "use:browsing:recommendations", "contact:email:newsletter"
BEAT = "worker.heartbeat"
ADDRESS = "ann@shop.example"
GONE = {"ledger_entry__delete", "ledger_entry__truncate"}
END = START.replace(year=2027, month=12)
"""When what is granted at the start of a test ends: thirteen months later."""


def audited(world, key, **how):
    """Return what one check finds, as (severity, subject, why); it leaves no gap."""
    report = run(world.deployment, CHECKS, asked_by="cy", only=[key], **how)
    assert report.checks[0].gaps == ()
    return [(str(one.severity), one.subject, one.why) for one in report.all_findings]


def beat(world):
    """Leave a sign that a worker runs here."""
    with world.store.write() as work:
        jobs.beat(work, BEAT, "a worker", at=world.clock())


def sign(world):
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())


@pytest.fixture
def attacker(world):
    return Attacker(world)


# --------------------------------------------------------------------------------------------------------- checkpoints


def test_a_log_that_grows_under_no_checkpoint_is_found_where_a_worker_should_sign(world):
    sign(world)
    world.clock.advance(seconds=1)
    grown = world.clock()
    world.grant(world.bo, NEWS)
    world.clock.advance(seconds=91)
    before = audited(world, "checkpoints")
    beat(world)

    [finding] = audited(world, "checkpoints")
    since = grown.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    why = f"what was recorded since {since} lies under no checkpoint: is the worker running?"
    assert (before, finding) == ([], ("high", "ledger_head", why))


def test_checkpoints_that_came_late_are_counted_for_a_week(world):
    beat(world)
    sign(world)
    sizes = []
    for seconds in (30, 100, 200, 89):
        world.grant(world.bo, NEWS)
        world.clock.advance(seconds=seconds)
        sign(world)
        sizes.append(world.size())
    late = audited(world, "checkpoints")
    sign(world)
    world.clock.advance(days=8)

    why = (
        "in the last 7 days 2 checkpoints were signed more than a minute after the log had grown: "
        f"that at size {sizes[2]} after 200 s"
    )
    assert late == [("low", "ledger_checkpoint", why)]
    assert audited(world, "checkpoints") == []


# ------------------------------------------------------------------------------------------------------------- witness


def test_what_the_witness_contradicts_is_found_until_it_is_settled(world):
    sign(world)
    with world.store.write() as work:
        for kind in (AlarmKind.FORKED, AlarmKind.UNCOSIGNED):
            alarms.raised(work, alarms.alarm(kind, log=1, size=3, note="n", why=f"it is {kind}", at=world.clock()))
    found = audited(world, "witness")
    with world.store.write() as work:
        for kind in (AlarmKind.FORKED, AlarmKind.UNCOSIGNED):
            alarms.settle(work, kind, 1, by="cy", settlement="looked at", at=world.clock())

    assert sorted(found) == [
        ("critical", "forked 1", "since 2026-11-21T10:00:00.000Z: it is forked"),
        ("high", "uncosigned 1", "since 2026-11-21T10:00:00.000Z: it is uncosigned"),
    ]
    assert audited(world, "witness") == []


def test_a_checkpoint_that_waits_too_long_for_its_witness_is_found(world):
    sign(world)
    world.tamper(
        "INSERT INTO cosignature VALUES (1, :size, 'cosigned', :now)", size=world.size(), now=to_ms(world.clock())
    )
    world.grant(world.bo, NEWS)
    sign(world)
    second = world.size()
    world.clock.advance(minutes=59)
    patient = audited(world, "witness")
    world.clock.advance(minutes=2)

    why = f"the checkpoint at size {second} waits for its witness since 2026-11-21T10:00:00.000Z"
    assert (patient, audited(world, "witness")) == ([], [("high", "uncosigned 1", why)])


def test_where_the_settings_name_a_witness_and_nothing_bears_its_signature_it_is_a_gap(world, attacker):
    sign(world)
    deployment = replace(world.deployment, witnessed=True)
    signature = {"size": world.size(), "now": to_ms(world.clock())}
    attacker.do("INSERT INTO cosignature VALUES (1, :size, 'cosigned', :now)", **signature)
    signed = run(deployment, CHECKS, asked_by="cy", only=["witness"])
    attacker.do("DELETE FROM cosignature")
    unheard = run(deployment, CHECKS, asked_by="cy", only=["witness"])

    gaps = [gap.why.partition(" here")[0] for gap in unheard.all_gaps]
    assert (signed.all_gaps, signed.status) == ([], "passed")
    assert gaps == ["the settings name a witness, and no checkpoint", "nothing was judged"]


# --------------------------------------------------------------------------------------------------------------- clock


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("DELETE FROM finding", "says of it: findings"),
        ("UPDATE audit_run SET status = 'passed' WHERE status = 'findings'", "says of it: status"),
        ("UPDATE audit_run SET report = '{}'", "says of it: report"),
        ("UPDATE audit_run SET asked_by = 'otto'", "says of it: actor"),
        ("UPDATE audit_run SET position = -1", "it is said to stand in entry -1, and it is entry"),
        ("DELETE FROM audit_run WHERE status = 'passed'", "tells of it, and no row of audit_run does"),
    ],
)
def test_what_an_earlier_audit_found_is_not_forgotten(world, attacker, tampering, why):
    fine = run(world.deployment, CHECKS, asked_by="cy", only=["keys"])
    attacker.do("DELETE FROM notice")
    found = run(world.deployment, CHECKS, asked_by="cy", only=["notices"])
    assert ((str(fine.status), str(found.status)), audited(world, "audits")) == (("passed", "findings"), [])
    attacker.do(tampering)
    mine = {f"audit_run {each.audit}" for each in (fine, found)}
    told = [each for each in audited(world, "audits") if each[1] in mine]
    assert {severity for severity, _, _ in told} == {"critical"}
    expected = [why, "it is said to have passed, and the ledger knows"][: 2 if "position" in tampering else 1]
    assert all(any(each in one for each in expected) for _, _, one in told)
    assert any(why in one for _, _, one in told)


def test_a_time_that_goes_back_and_one_that_lies_ahead_are_found(world, attacker):
    world.grant(world.bo, NEWS)
    last = world.size() - 1
    assert audited(world, "clock") == []
    body = attacker.body(last)
    early = body.replace(b"2026-11-21T10:00:00.000Z", b"2026-11-19T10:00:00.000Z")
    late = attacker.body(5).replace(b"2026-11-20T10:00:00.000Z", b"2026-11-22T10:00:00.000Z")
    attacker.rewrite(last, early)
    attacker.rewrite(5, late)

    back = "its time 2026-11-{}T10:00:00.000Z lies before 2026-11-{}T10:00:00.000Z, that of the entry before it"
    assert {(subject, why) for _, subject, why in audited(world, "clock")} == {
        ("ledger_entry 5", "its time 2026-11-22T10:00:00.000Z lies ahead of now"),
        ("ledger_entry 6", back.format(20, 22)),
        (f"ledger_entry {last}", back.format(19, 20)),
    }


def test_an_audit_of_the_past_takes_what_came_later_for_no_entry_ahead_of_now(world):
    world.clock.advance(days=3)
    world.grant(world.bo, NEWS)

    assert audited(world, "clock", at=START) == []


def test_a_clock_of_the_machine_that_is_not_the_databases_is_found(world):
    """The test's own clock stands still: what is compared are the machine's and the database's."""
    deployment = world.deployment
    real = Evidence(store=world.store, desk=deployment.desk, at=world.clock())
    ahead = Evidence(
        store=world.store, desk=deployment.desk, at=world.clock(), machine=lambda: real.machine() + timedelta(seconds=7)
    )

    honest = [each for each in clock.clock(real) if isinstance(each, Finding)]
    [found] = [each for each in clock.clock(ahead) if isinstance(each, Finding)]
    assert (honest, found.severity, found.subject) == ([], "high", "clocks")
    assert found.why.startswith("the machine's clock and the database's are 7.")


# ------------------------------------------------------------------------------------------------------------- notices


def test_words_changed_after_they_were_shown_are_found_even_with_their_hash(world, attacker):
    [(key, version)] = world.rows("SELECT key, version FROM notice WHERE language = 'en' LIMIT 1")
    other = "We do what we like."
    where = {"key": key, "version": version}
    attacker.do("UPDATE notice SET wording = :new WHERE key = :key AND language = 'en'", new=other, key=key)
    plain = audited(world, "notices")
    attacker.do("UPDATE notice SET digest = :new WHERE key = :key AND language = 'en'", key=key,
                new=sha256(other.encode()).digest())  # fmt: skip
    [(place,)] = world.rows("SELECT position FROM notice WHERE key = :key AND version = :version LIMIT 1", **where)

    subject = f"notice {key} {version} en"
    drift = ("critical", subject, "catalogue 1 has other words")
    assert plain == [("critical", subject, "its words do not hash to its hash"), drift]
    assert audited(world, "notices") == [("critical", subject, f"entry {place} published other words"), drift]


def test_a_wording_that_is_gone_is_found(world, attacker):
    [(key, place)] = world.rows("SELECT key, position FROM notice WHERE language = 'de' ORDER BY key LIMIT 1")
    attacker.do("DELETE FROM notice WHERE key = :key AND language = 'de'", key=key)

    assert audited(world, "notices") == [
        ("critical", f"notice {key} 1 de", f"entry {place} published it, and it is not there")
    ]


def test_a_notice_that_counts_for_less_than_it_was_published_as_is_found(world, attacker):
    [(key, place)] = world.rows("SELECT key, position FROM notice WHERE language = 'de' ORDER BY key LIMIT 1")
    assert audited(world, "notices") == []
    attacker.do("UPDATE notice SET material = false WHERE key = :key AND language = 'de'", key=key)

    why = f"entry {place} published it as material"
    assert audited(world, "notices") == [("critical", f"notice {key} 1 de", why)]


def test_a_statement_that_names_a_notice_which_never_was_is_found(world, monkeypatch):
    """As if the register had recorded a version that nobody has published."""
    monkeypatch.setattr("consent.register.rules._shown", lambda *_, **_how: {USE: 7})
    said = world.grant(world.bo, USE)

    notice = "version 7 of notice use-browsing-recommendations, which was never published"
    why = f"entry {said.seq}: of {USE} he was shown {notice}"
    assert audited(world, "notices") == [("high", world.bo, why)]


def test_a_yes_without_a_notice_is_found(world, monkeypatch):
    monkeypatch.setattr("consent.register.rules._shown", lambda *_, **_how: {})
    said = world.grant(world.bo, USE)

    assert audited(world, "notices") == [
        ("high", world.bo, f"entry {said.seq}: he agreed to {USE} and was shown no notice")
    ]


def retold(world, customer, scope):
    """Record that a customer agreed elsewhere, to which no wording of ours is known."""
    said = world.statement(customer, "grant", scope, method="import", evidence="their export of May")
    with world.store.write() as work:
        [recorded] = recording.record(
            world.deployment.desk, work, [said], actor="import", at=world.clock(), retold=True
        )  # fmt: skip
    return recorded


def test_a_yes_from_elsewhere_without_a_wording_gives_nothing_and_breaks_no_rule(world):
    retold(world, world.bo, USE)
    assert (world.reason(world.bo, USE), audited(world, "notices")) == ("NOTICE_STALE", [])


def test_a_yes_from_elsewhere_that_stands_without_any_wording_is_found(world):
    rule = 'scope = "use:browsing:newsletter"\nlegal_basis = "consent"\nnotice = "minor"\nbenefit = "News."\norder = 71'
    words = 'key = "minor"\nversion = 1\nmaterial = false\n[notice.wording]\nen = "May we?"\nde = "Dürfen wir?"\n'
    world.publish(f"{DEFAULT.read_text(encoding='utf-8')}\n[[scope]]\n{rule}\n[[notice]]\n{words}")
    said = retold(world, world.bo, "use:browsing:newsletter")

    assert world.reason(world.bo, "use:browsing:newsletter") == "PERMIT"
    assert audited(world, "notices") == [
        ("high", world.bo, f"entry {said.seq}: he agreed to use:browsing:newsletter and was shown no notice")
    ]


@pytest.mark.parametrize("key", ["notices", "expiry", "kept_without_use"])
def test_what_a_customer_said_and_nobody_can_read_is_a_gap_in_all_that_is_judged_by_it(world, attacker, key):
    world.remember(world.ann, visits_past_month=3)
    attacker.do("UPDATE ledger_payload SET sealed = :junk WHERE owner = :ann", junk=bytes(60), ann=world.ann)

    report = run(world.deployment, CHECKS, asked_by="cy", only=[key])
    assert [(gap.check, "can't be read" in gap.why) for gap in report.all_gaps] == [(key, True)]


def test_what_was_published_and_nobody_can_read_is_a_gap(world, attacker):
    [(place,)] = world.rows("SELECT position FROM notice ORDER BY position LIMIT 1")
    attacker.do("UPDATE ledger_payload SET sealed = :junk WHERE seq = :place", junk=bytes(60), place=place)

    report = run(world.deployment, CHECKS, asked_by="cy", only=["notices"])
    why = f"what entry {place} published can't be read: it does not open under its owner's key"
    assert [gap.why for gap in report.all_gaps] == [why]
    assert {one.why for one in report.all_findings} == {f"entry {place} tells of no notice"}


# ---------------------------------------------------------------------------------------------------------------- keys


def test_a_key_that_does_not_open_is_found_and_so_is_one_that_is_missing(world, attacker):
    attacker.do("UPDATE data_key SET wrapped = :junk WHERE owner = :ann", junk=bytes(60), ann=world.ann)
    attacker.do("DELETE FROM data_key WHERE owner = :bo", bo=world.bo)

    lost = f"the data key of {world.ann} does not unwrap under the version that is said to wrap it"
    assert sorted(audited(world, "keys")) == sorted(
        [("critical", world.ann, lost), ("critical", world.bo, "he has no data key, and was not erased")]
    )


def test_a_key_said_to_be_wrapped_by_another_version_is_found_with_that_version(world, attacker):
    rekeying.rotate(world.deployment.desk, world.deployment.store, actor="cy", clock=world.clock)
    assert audited(world, "keys") == []
    attacker.do("UPDATE data_key SET kek = 9 WHERE owner = :ann", ann=world.ann)

    lost = f"the data key of {world.ann} does not unwrap under the version that is said to wrap it"
    assert audited(world, "keys") == [
        ("critical", world.ann, lost),
        ("critical", "version 9", "it wraps 1 data key, and is not there"),
    ]


def test_keys_that_are_nobodys_or_outlived_an_erasure_are_found(world, attacker):
    [(kek, wrapped)] = world.rows("SELECT kek, wrapped FROM data_key WHERE owner = :ann", ann=world.ann)
    erase(world, world.ann)
    assert audited(world, "keys") == []
    for owner in (world.ann, "cus_zz"):
        attacker.do("INSERT INTO data_key VALUES (:who, :kek, :key)", who=owner, kek=kek, key=bytes(wrapped))

    assert audited(world, "keys") == [
        ("critical", world.ann, "he was erased, and his data key is still there"),
        ("high", "cus_zz", "a data key belongs to somebody who is not enrolled"),
    ]


def test_the_deployments_own_key_is_judged_as_well(world, attacker):
    attacker.exchange("data_key", "wrapped", "owner", "log", world.ann)

    assert [subject for _, subject, _ in audited(world, "keys")] == [world.ann, "log"]


def test_what_was_written_about_a_request_and_a_link_that_waits_open_under_their_customers_keys(world, attacker):
    desk = world.deployment.desk
    world.publish(toml(CATALOGUE))
    for customer in (world.ann, world.bo):
        world.grant(customer, "contact:email:offers")
        with world.store.write() as work:
            asking = Asking(kind=Right.ACCESS, wish="everything")
            requests.take_in(desk, work, customer, asking, actor="cy", at=world.clock())
    rekeying.rotate(desk, world.deployment.store, actor="cy", clock=world.clock)
    assert (world.rows("SELECT COUNT(*) FROM confirmation WHERE outgoing IS NOT NULL"), audited(world, "keys")) == (
        [(2,)],
        [],
    )
    attacker.exchange("rights_request", "words", "customer", world.ann, world.bo)
    attacker.do("UPDATE confirmation SET outgoing = :junk WHERE customer = :bo", junk=bytes(60), bo=world.bo)

    shut = "does not open: it was changed, or stands where it was not sealed for"
    words = f"in the table rights_request, what was written about a request of his {shut}"
    link = f"in the table confirmation, a link for him that waits for the mail {shut}"
    assert sorted(audited(world, "keys")) == sorted(
        [("critical", world.ann, words), ("critical", world.bo, words), ("critical", world.bo, link)]
    )
    erase(world, world.ann)
    erase(world, world.bo)
    assert audited(world, "keys") == []


def test_a_rotation_that_never_ended_is_found(world, attacker):
    attacker.do("INSERT INTO key_rotation VALUES (2, :now, 'cy', '', 0, 3, NULL, 0)", now=to_ms(world.clock()))
    early = audited(world, "keys")
    world.clock.advance(days=1, seconds=1)

    [finding] = audited(world, "keys")
    assert (early, finding[:2]) == ([], ("medium", "version 2"))


@pytest.fixture
def rotated(world):
    """Return a world whose first key-encryption key was replaced, and destroyed by two people; and the two entries."""
    desk, store = world.deployment.desk, world.store
    first = rekeying.rotate(desk, store, actor="cy", clock=world.clock)
    world.clock.advance(days=40)
    with store.write() as work:
        rekeying.ask_destruction(desk, work, 1, actor="cy", at=world.clock())
    rekeying.destroy(desk, store, 1, actor="mia", at=world.clock(), backups_end=timedelta(days=30))
    last = world.size() - 1
    assert audited(world, "keys") == []
    return world, first.position, last


@pytest.mark.parametrize(
    ("statement", "version", "why"),
    [
        ("DELETE FROM key_rotation", 2, "entry {0} says that it was rotated, and no row does"),
        ("DELETE FROM key_destruction", 1, "entry {1} says that it was destroyed, and no row does"),
        ("UPDATE key_destruction SET destroyed_at = NULL", 1, "entry {1} says that it was destroyed, and no row does"),
        ("UPDATE key_rotation SET position = 0", 2, "it is said to be rotated in entry 0, and it was in entry {0}"),
        ("UPDATE key_rotation SET done = 1", 2, "1 data keys are said to be wrapped by it, and 3 by entry {0}"),
        ("UPDATE key_rotation SET version = 3", 2, "entry {0} says that it was rotated, and no row does"),
    ],
)
def test_a_key_that_came_or_went_otherwise_than_the_ledger_says_is_found(rotated, statement, version, why):
    world, came, went = rotated
    Attacker(world).do(statement)
    found = audited(world, "keys")
    assert ("critical", f"version {version}", why.format(came, went)) in found
    others = [("critical", "version 3", f"it is said to be rotated in entry {came}, which does not say so")]
    assert found[1:] == (others if "version = 3" in statement else [])


@pytest.mark.parametrize("table", ["key_rotation SET finished_at", "key_destruction SET destroyed_at"])
def test_when_a_key_came_or_went_is_held_against_the_ledger(rotated, table):
    """How long a backup needs an old key counts from there."""
    world, _, _ = rotated
    Attacker(world).do(f"UPDATE {table} = 0")
    [(severity, _, why)] = audited(world, "keys")
    assert (severity, why.partition(" at ")[2][:10]) == ("critical", "1970-01-01")


# ------------------------------------------------------------------------------------------------------------ snapshot


def taken(world):
    return snapshots.take(
        world.store, world.deployment.desk, actor="worker", clock=world.clock, fence=lambda _work: None
    )


def test_a_last_word_that_vanished_with_all_that_counted_it_is_found(world, attacker):
    """The payload is deleted, the standing row set back: an erasure of somebody else explains the missing payload."""
    columns = ("mask", "next_expiry", "counter", "last_said", "last_leaf", "scopes")
    [before] = world.rows(f"SELECT {', '.join(columns)} FROM standing WHERE customer = :bo", bo=world.bo)  # noqa: S608 -- columns
    said = world.grant(world.bo, NEWS)
    made = taken(world)
    attacker.do("DELETE FROM ledger_payload WHERE seq = :seq", seq=said.seq)
    for name, value in zip(columns, before, strict=True):
        attacker.do(f"UPDATE standing SET {name} = :value WHERE customer = :bo", value=value, bo=world.bo)  # noqa: S608 -- as above

    why = f"his statements up to entry {made.position} are not those that entry {made.entry} counted"
    assert audited(world, "standing") == []
    assert audited(world, "snapshot") == [("critical", world.bo, why)]


def test_nights_without_a_snapshot_are_found_where_a_worker_runs(world):
    none = audited(world, "snapshot")
    beat(world)
    world.clock.advance(days=3)
    never = audited(world, "snapshot")
    taken(world)
    now = audited(world, "snapshot")
    world.clock.advance(days=2, seconds=1)

    assert (none, now) == ([], [])
    assert never == [
        ("medium", "snapshots", "a snapshot is taken every night, and there is none: is the worker running?")
    ]
    [(_, _, why)] = audited(world, "snapshot")
    assert why.startswith("a snapshot is taken every night, and the last one is of 2026-11-24T10:00:00.000Z")


@pytest.mark.parametrize("asked_by", ["schedule:nightly", "worker"])
def test_a_worker_whose_signs_of_life_were_deleted_is_known_by_the_audits_that_it_ran(world, attacker, asked_by):
    """Otherwise whoever deletes them silences all that is said about what a worker has not done."""
    beat(world)
    run(world.deployment, CHECKS, asked_by=asked_by, only=["snapshot"])
    world.clock.advance(days=3)
    attacker.do("DELETE FROM job_run")
    assert [severity for severity, _, _ in audited(world, "snapshot")] == ["medium"]


# -------------------------------------------------------------------------------------------------------------- expiry


def test_a_consent_recorded_to_stand_longer_than_its_rule_allows_is_found(world, monkeypatch):
    """As if the register had forgotten the end, or set it too late."""
    real = rules.Completing.__call__
    for change, told in ((None, "for ever"), (timedelta(days=800), "2029-01-29T10:00:00.000Z")):
        ends = None if change is None else {Scope(USE): world.clock() + change}
        monkeypatch.setattr(
            "consent.register.rules.Completing.__call__",
            lambda *said, ends=ends, **how: replace(real(*said, **how), valid_until=ends),
        )
        said = world.grant(world.bo, USE)
        monkeypatch.undo()
        why = f"entry {said.seq} lets {USE} stand until {told}, and its rule until 2027-12-21T10:00:00.000Z"
        assert ("high", world.bo, why) in audited(world, "expiry")


def test_a_row_by_which_something_outlives_its_end_is_found(world, attacker):
    world.grant(world.bo, USE)
    [(scopes,)] = world.rows("SELECT scopes FROM standing WHERE customer = :bo", bo=world.bo)
    [(bit,)] = world.rows("SELECT bit FROM scope_bit WHERE scope = :scope", scope=USE)
    forged = bytearray(scopes)
    forged[bit * 16 + 4 : bit * 16 + 8] = b"\xff\xff\xff\xff"
    attacker.do("UPDATE standing SET scopes = :scopes WHERE customer = :bo", scopes=bytes(forged), bo=world.bo)
    before = audited(world, "expiry")
    world.clock.set(END + timedelta(seconds=1))

    why = f"{USE} ended at 2027-12-21T10:00:00.000Z, and a check still permits it"
    assert (before, world.reason(world.bo, USE)) == ([], "PERMIT")
    assert audited(world, "expiry") == [("critical", world.bo, why)]


def test_a_row_that_says_that_its_next_end_comes_later_is_found(world, attacker):
    attacker.do("UPDATE standing SET next_expiry = :never WHERE customer = :ann", never=2**63 - 1, ann=world.ann)

    why = "his row says that nothing ends before ever, and something does, or later"
    assert audited(world, "expiry") == [("high", world.ann, why)]


def test_what_has_ended_is_found_by_nobody_as_long_as_nothing_is_permitted_by_it(world):
    world.grant(world.bo, USE)
    world.clock.set(world.clock().replace(year=2031))

    assert (world.reason(world.bo, USE), audited(world, "expiry")) == ("EXPIRED", [])


def test_a_customer_whom_nobody_is_going_to_remind_is_found_where_a_worker_runs(world):
    world.grant(world.bo, USE)
    world.clock.set(END - timedelta(hours=17))
    nobody = audited(world, "expiry")
    beat(world)
    found = audited(world, "expiry")
    reminders.queue(world.deployment.desk, world.deployment.store, at=world.clock(), days=30)

    why = f"{USE} ends at 2027-12-21T10:00:00.000Z, and nobody has queued a reminder"
    assert (nobody, found, audited(world, "expiry")) == ([], [("medium", world.bo, why)], [])


def test_whether_reminders_were_queued_in_the_past_is_not_judged(world):
    world.grant(world.bo, USE)
    beat(world)
    world.clock.set(world.clock().replace(year=2029))

    assert audited(world, "expiry", at=END - timedelta(hours=2)) == []


def test_a_row_that_no_check_could_read_is_a_gap(world, attacker):
    world.grant(world.bo, USE)
    attacker.do("UPDATE standing SET scopes = :odd WHERE customer = :bo", odd=b"odd", bo=world.bo)
    world.clock.set(world.clock().replace(year=2029))

    report = run(world.deployment, CHECKS, asked_by="cy", only=["expiry"])
    assert [gap.why for gap in report.all_gaps] == ["the rows of 1 customer are not such as a check could read"]


# ------------------------------------------------------------------------------------------------------------- horizon


@pytest.mark.parametrize(
    ("days", "found"),
    [
        (Horizon(), []),
        (Horizon(backup_retention_days=23, kms_wait_days=7), []),
        (
            Horizon(backup_retention_days=30, kms_wait_days=7),
            ["backups are kept for 30 days and a destroyed key for 7: 37 days, 7 more than the 30 that are allowed"],
        ),
    ],
)
def test_backups_that_outlive_an_erasure_for_too_long_are_found(sqlite_world, days, found):
    evidence = Evidence(store=sqlite_world.store, desk=sqlite_world.deployment.desk, at=START, horizon=days)

    assert [each.why for each in horizon.horizon(evidence) if isinstance(each, Finding)] == found


def test_where_nobody_says_how_long_backups_are_kept_it_is_a_gap(sqlite_world):
    evidence = Evidence(store=sqlite_world.store, desk=sqlite_world.deployment.desk, at=START)

    assert list(horizon.horizon(evidence)) == [Gap(check="horizon", why="nobody says how long backups are kept")]


# ------------------------------------------------------------------------------------------------------------ requests


def asked_for(world, who, kind=Right.ACCESS):
    with world.store.write() as work:
        return requests.take_in(
            world.deployment.desk, work, who, Asking(kind=kind), actor="cy", at=world.clock()
        )  # fmt: skip


def test_a_request_that_nobody_answered_in_time_is_found(world):
    one = asked_for(world, world.ann)
    world.clock.set(START.replace(month=12))
    in_time = audited(world, "requests")
    world.clock.advance(seconds=1)

    why = "access was asked for, an answer was owed by 2026-12-21T10:00:00.000Z, and it is nobody's to answer"
    assert (in_time, audited(world, "requests")) == ([], [("high", one.id, why)])
    with world.store.write() as work:
        requests.assign(world.deployment.desk, work, one.id, "cy", actor="cy", at=world.clock())
    assert audited(world, "requests")[0][2].endswith("and it is cy's to answer")
    with world.store.write() as work:
        requests.close(
            world.deployment.desk, work, one.id, Outcome.REFUSED, actor="cy", at=world.clock(), answer="No."
        )  # fmt: skip
    assert audited(world, "requests") == []


def test_a_deadline_that_was_moved_is_found_and_the_real_one_counts(world, attacker):
    one = asked_for(world, world.ann)
    place = world.size() - 1
    attacker.do("UPDATE rights_request SET due_at = :later", later=to_ms(START + timedelta(days=900)))
    world.clock.advance(days=60)

    why = "access was asked for, an answer was owed by 2026-12-21T10:00:00.000Z, and it is nobody's to answer"
    assert audited(world, "requests") == [
        ("critical", one.id, f"its due date is not what entry {place} says"),
        ("high", one.id, why),
    ]  # fmt: skip


def test_a_request_that_was_closed_deleted_or_made_up_behind_the_ledgers_back_is_found(world, attacker):
    one, two = asked_for(world, world.ann), asked_for(world, world.bo)
    last = world.size() - 1
    attacker.do(
        "UPDATE rights_request SET state = 'closed', outcome = 'fulfilled', closed_at = 0 WHERE id = :one", one=one.id
    )
    attacker.do("DELETE FROM rights_step WHERE request = :two", two=two.id)
    attacker.do("DELETE FROM rights_request WHERE id = :two", two=two.id)
    attacker.do(
        "INSERT INTO rights_request SELECT 'rgt_0', customer, kind, how, received_at, due_at, extended_at, owner, "
        "state, closed_at, outcome, steps, asked, words FROM rights_request"
    )

    assert sorted(audited(world, "requests")) == sorted([
        ("critical", "rgt_0", "no entry tells of it"),
        ("critical", one.id, f"its state, outcome, closing date is not what entry {last - 1} says"),
        ("critical", two.id, f"entry {last} tells of it, and it is not there"),
    ])  # fmt: skip


def test_what_became_of_a_request_is_what_its_steps_say(world, attacker):
    one = asked_for(world, world.ann)
    with world.store.write() as work:
        requests.assign(world.deployment.desk, work, one.id, "cy", actor="cy", at=world.clock())
    world.clock.advance(days=20)
    with world.store.write() as work:
        requests.extend(world.deployment.desk, work, one.id, "much to do", actor="cy", at=world.clock())
        requests.close(world.deployment.desk, work, one.id, Outcome.REFUSED, actor="cy", at=world.clock(), answer="No.")
    last = world.size() - 1
    assert audited(world, "requests") == []
    attacker.do(
        "UPDATE rights_request SET how = 'letter', owner = 'dee', outcome = 'fulfilled', extended_at = NULL, "
        "closed_at = closed_at - 86400000"
    )
    attacker.do("UPDATE rights_step SET at = at - 86400000 WHERE number = 4")

    assert sorted(audited(world, "requests")) == sorted([
        ("critical", one.id, f"its how, owner, outcome, extension, closing date is not what entry {last} says"),
        ("critical", one.id, f"the time of its step 4 is not what entry {last} says"),
    ])  # fmt: skip


@pytest.mark.parametrize("change", ["emptied", "set back"])
def test_what_was_written_about_a_request_is_what_it_was(world, attacker, change):
    """A refusal without its reasons, and a wish that nobody answers."""
    desk, at = world.deployment.desk, world.clock()
    with world.store.write() as work:
        one = requests.take_in(desk, work, world.ann, Asking(kind=Right.ACCESS, wish="all"), actor="cy", at=at)
    [(before,)] = world.rows("SELECT words FROM rights_request")
    with world.store.write() as work:
        requests.close(desk, work, one.id, Outcome.REFUSED, actor="cy", at=at, answer="No.")
    last = world.size() - 1
    assert audited(world, "requests") == []
    attacker.do("UPDATE rights_request SET words = :words", words=b"" if change == "emptied" else bytes(before))
    found = audited(world, "requests")
    erase(world, world.ann)

    gone = [("critical", one.id, f"its answer is not what was written with entry {last}")]
    if change == "emptied":
        gone.insert(0, ("critical", one.id, f"its wish is not what was written with entry {last - 1}"))
    assert (found, audited(world, "requests")) == (gone, [])


def test_a_step_that_is_gone_rewritten_or_made_up_is_found(world, attacker):
    one, two = asked_for(world, world.ann), asked_for(world, world.bo)
    with world.store.write() as work:
        requests.assign(world.deployment.desk, work, one.id, "cy", actor="cy", at=world.clock())
    last = world.size() - 1
    assert audited(world, "requests") == []
    attacker.do("DELETE FROM rights_step WHERE request = :one AND number = 1", one=one.id)
    attacker.do("UPDATE rights_step SET detail = 'dee', actor = 'dee' WHERE request = :one", one=one.id)
    attacker.do(
        "INSERT INTO rights_step SELECT request, 7, at, event, detail, actor, position FROM rights_step "
        "WHERE request = :two", two=two.id,
    )  # fmt: skip

    assert sorted(audited(world, "requests")) == sorted([
        ("critical", one.id, f"entry {last - 2} tells of its step 1, and no such row of rights_step is there"),
        ("critical", one.id, f"the detail, actor of its step 2 is not what entry {last} says"),
        ("critical", two.id, f"its step 7 names entry {last - 1}, which does not tell of it"),
    ])  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- mergers


def joined(world):
    """Join two records, and return the one that was given up, the one that goes on, and the entry that says so."""
    old, new = world.enrol("OLD", "NEW")
    with world.store.write() as work:
        done = merging.merge(world.deployment.desk, work, old, new, actor="cy", at=world.clock())
    assert audited(world, "mergers") == []
    return old, new, done.position


def test_an_id_given_up_that_leads_nowhere_any_more_is_found(world, attacker):
    old, new, place = joined(world)
    attacker.do("DELETE FROM merger")

    why = f"entry {place} says that he goes on as {new}, and no row of merger does"
    assert audited(world, "mergers") == [("critical", old, why)]


def test_an_id_given_up_that_leads_to_somebody_else_is_found(world, attacker):
    old, new, place = joined(world)
    attacker.do("UPDATE merger SET customer = :bo", bo=world.bo)

    why = f"his row of merger leads to {world.bo}, and entry {place} says he goes on as {new}"
    assert audited(world, "mergers") == [("critical", old, why)]


def test_a_merger_that_the_ledger_knows_nothing_of_is_found(world, attacker):
    _, _, place = joined(world)
    attacker.do("INSERT INTO merger SELECT :ann, :bo, merged_at, position FROM merger", ann=world.ann, bo=world.bo)

    why = f"his row of merger leads to {world.bo}, and entry {place} does not join them"
    assert audited(world, "mergers") == [("critical", world.ann, why)]


def test_whoever_was_joined_and_erased_since_leaves_no_row_and_that_is_in_order(world):
    _, new, _ = joined(world)
    erase(world, new)

    assert (world.rows("SELECT * FROM merger"), audited(world, "mergers")) == ([], [])


# -------------------------------------------------------------------------------------------------------- suppressions


def of_address(world, address=ADDRESS):
    return f"email:{b64u(world.deployment.desk.blinded('email', address))}"


def test_an_address_taken_off_the_list_behind_the_ledgers_back_is_found(world, attacker):
    made = suppress(world, ADDRESS)
    suppress(world, "other@shop.example")
    assert audited(world, "suppressions") == []
    attacker.do("DELETE FROM suppression WHERE position = :place", place=made.suppression.position)

    why = f"entry {made.suppression.position} put it on the list, and it is not on it"
    assert audited(world, "suppressions") == [("critical", of_address(world), why)]


def test_an_address_put_on_the_list_or_left_on_it_by_nobodys_word_is_found(world, attacker):
    made = suppress(world, ADDRESS)
    rows = world.rows("SELECT kind, blind, since, position FROM suppression")
    lift(world, ADDRESS)
    assert audited(world, "suppressions") == []
    [(kind, blind, since, place)] = rows
    for each in (bytes(blind), bytes(32)):
        attacker.do(
            "INSERT INTO suppression VALUES (:kind, :blind, :since, :place)",
            kind=kind, blind=each, since=since, place=place,
        )  # fmt: skip
    attacker.do("UPDATE standing SET states = 2 WHERE customer = :ann", ann=world.ann)
    end = world.size() - 2  # behind it stands the entry of the audit above

    assert made.suppression.position == place
    assert sorted(audited(world, "suppressions")) == sorted([
        ("critical", of_address(world), f"it is on the list, and entry {end} took it off"),
        ("critical", f"email:{b64u(bytes(32))}", f"it is on the list, and entry {place} does not say so"),
    ])  # fmt: skip


def test_what_is_kept_of_a_lift_and_no_entry_tells_of_is_found(world, attacker):
    """Answers as of then go by it."""
    put = suppress(world, ADDRESS)
    world.clock.advance(hours=1)
    end = lift(world, ADDRESS).position
    place = put.suppression.position
    [(blind,)] = world.rows("SELECT blind FROM lifted_suppression")
    assert audited(world, "suppressions") == []
    why = f"it counts as left alone from entry {place} to entry {end}, and they do not say so"
    wrong = []
    for changed, undone in (
        ("UPDATE lifted_suppression SET since = since + 1", "UPDATE lifted_suppression SET since = since - 1"),
        ("UPDATE lifted_suppression SET until = until - 1", "UPDATE lifted_suppression SET until = until + 1"),
        ("UPDATE lifted_suppression SET kind = 'phone'", "UPDATE lifted_suppression SET kind = 'email'"),
    ):
        attacker.do(changed)
        wrong.append(audited(world, "suppressions"))
        attacker.do(undone)
    for each in (b"", bytes(32), bytes(blind)):
        attacker.do("UPDATE lifted_suppression SET blind = :each", each=each)
        wrong.append(audited(world, "suppressions"))
    sound = wrong.pop()
    attacker.do("DELETE FROM lifted_suppression")
    gone = "it took an address off the list, and that it had been on it is not kept: answers as of then are wrong"

    assert (wrong, sound) == ([[("critical", f"entry {place}", why)]] * 5, [])
    assert audited(world, "suppressions") == [("critical", f"entry {end}", gone)]


def test_what_was_lifted_before_its_customer_was_erased_is_in_order(world):
    suppress(world, ADDRESS)
    lift(world, ADDRESS)
    erase(world, world.ann)
    assert audited(world, "suppressions") == []


def test_a_customer_whose_row_hides_that_he_is_to_be_left_alone_is_found(world, attacker):
    suppress(world, ADDRESS)
    assert (audited(world, "suppressions"), audited(world, "standing")) == ([], [])
    attacker.do("UPDATE standing SET states = 0 WHERE customer = :ann", ann=world.ann)

    why = "an address of his is suppressed, and his row does not show it: he may be contacted"
    assert audited(world, "suppressions") == [("critical", world.ann, why)]
    assert audited(world, "standing") == [
        ("critical", world.ann, "the row is not what was said: states is 0, should be 2")
    ]


def test_what_was_put_on_the_list_by_nobodys_word_is_resolved_once_the_list_is_empty_again(sqlite_world):
    attacker = Attacker(sqlite_world)
    attacker.do("INSERT INTO suppression VALUES ('email', :blind, 0, 3)", blind=bytes(32))
    assert [subject for _, subject, _ in audited(sqlite_world, "suppressions")] == [f"email:{b64u(bytes(32))}"]
    attacker.do("DELETE FROM suppression")
    run(sqlite_world.deployment, CHECKS, asked_by="cy")

    with sqlite_world.store.read() as work:
        listed = life.listed(work, at=sqlite_world.clock())
    assert [str(each.state) for each in listed if each.check == "suppressions"] == ["resolved"]


def test_where_not_every_customer_is_named_none_that_is_not_is_taken_for_resolved(sqlite_world, monkeypatch):
    suppress(sqlite_world, ADDRESS)
    Attacker(sqlite_world).do("UPDATE standing SET states = 0")
    [(_, named, _)] = audited(sqlite_world, "suppressions")
    monkeypatch.setattr("consent.audit.checks.suppressions._MOST_NAMED", 0)

    assert named == sqlite_world.ann
    assert audited(sqlite_world, "suppressions") == [("critical", "", "and more such customers")]
    with sqlite_world.store.read() as work:
        assert [str(each.state) for each in life.listed(work, at=sqlite_world.clock())] == ["open"]


# ------------------------------------------------------------------------------------------------------------ erasures


def test_what_came_back_of_somebody_erased_is_found(world, attacker):
    [(kek, wrapped)] = world.rows("SELECT kek, wrapped FROM data_key WHERE owner = :ann", ann=world.ann)
    erase(world, world.ann)
    verify(world)
    assert audited(world, "erasures") == []
    attacker.do("INSERT INTO data_key VALUES (:who, :kek, :key)", who=world.ann, kek=kek, key=bytes(wrapped))
    attacker.do("INSERT INTO memory VALUES (:who, 'browsing', :blob, 0)", who=world.ann, blob=b"")

    why = (
        "he was erased, and something of him stands in data_key.owner, data_key.wrapped, memory.customer, memory.sealed"
    )
    assert audited(world, "erasures") == [("critical", world.ann, why)]


def test_a_tombstone_without_an_erasure_is_found_and_hides_nobody(world, attacker):
    attacker.do("INSERT INTO erasure VALUES (:bo, 0, 3, NULL, 0)", bo=world.bo)
    attacker.do("UPDATE standing SET states = 1 WHERE customer = :bo", bo=world.bo)

    why = "he has a tombstone, and entry 3 does not say he was erased"
    assert audited(world, "erasures") == [("critical", world.bo, why)]
    assert audited(world, "standing") == [
        ("critical", world.bo, "the row is not what was said: states is 1, should be 0")
    ]


def test_a_tombstone_that_is_gone_is_found(world, attacker):
    erase(world, world.ann)
    attacker.do("DELETE FROM erasure")

    why = "the ledger says that he was erased, and his tombstone is not there"
    assert ("critical", world.ann, why) in audited(world, "erasures")


def test_what_a_row_tells_of_its_time_is_when_its_entry_was_made(world, attacker):
    """Of erasures, mergers and published wordings, which are shown with their times."""
    [merged] = world.enrol("OLD")
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, merged, world.bo, actor=world.cy, at=world.clock())
    erase(world, world.ann)
    verify(world)
    keys = ("erasures", "mergers", "notices")
    assert [audited(world, key) for key in keys] == [[], [], []]
    attacker.do("UPDATE erasure SET erased_at = erased_at - 61000, verified_at = verified_at + 59000")
    attacker.do("UPDATE merger SET merged_at = merged_at + 61000")
    attacker.do(
        "UPDATE notice SET published_at = published_at + 61000 WHERE key = 'remember-purchases' AND language = 'de'"
    )

    found = [[(subject, why.partition(" at 2026")[0]) for _, subject, why in audited(world, key)] for key in keys]
    assert found == [
        [(world.ann, "his tombstone says that he was erased")],
        [(merged, "his row of merger says that he was joined")],
        [("notice remember-purchases 1 de", "it is said to be published")],
    ]


def test_a_key_that_signs_the_log_and_was_not_handed_over_to_is_found(world, attacker):
    with world.store.write() as work:
        rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
    assert audited(world, "keys") == []
    attacker.do("DELETE FROM data_key WHERE owner LIKE 'log:%'")

    [(severity, _, why)] = audited(world, "keys")
    expected = "the key that signs it now is not the one that its last rotation handed over to"
    assert (severity, why) == ("critical", expected)


def test_a_proof_that_was_never_given_is_found(world, attacker):
    done = erase(world, world.ann)
    attacker.do("UPDATE erasure SET verified_at = 0, verified_position = :place", place=done.position)

    why = f"his erasure counts as proved, and entry {done.position} does not say so"
    assert audited(world, "erasures") == [("critical", world.ann, why)]


def test_an_erasure_that_nobody_proves_is_found_where_a_worker_runs(world):
    erase(world, world.ann)
    world.clock.advance(days=1, seconds=1)
    nobody = audited(world, "erasures")
    beat(world)

    why = "somebody was erased at 2026-11-21T10:00:00.000Z, and nobody has proved that nothing is left of him"
    assert (nobody, audited(world, "erasures")) == ([], [("high", "erasure", why)])
    verify(world)
    assert audited(world, "erasures") == []


def test_somebody_erased_is_what_his_tombstone_says_and_nothing_more(world, attacker):
    erase(world, world.ann)
    assert audited(world, "standing") == []
    attacker.do("UPDATE standing SET states = 0 WHERE customer = :ann", ann=world.ann)

    assert audited(world, "standing") == [
        ("critical", world.ann, "the row is not what was said: states is 0, should be 1")
    ]


# ---------------------------------------------------------------------------------------------------------- processing


def test_a_use_for_what_was_never_declared_is_found_and_so_is_what_is_never_used(world):
    with world.store.write() as work:
        told = Use(actor="mia", purpose="blackmail", reason="a test")
        uses.record(work, told, categories=("browsing",), customers=1, position=world.size(), at=world.clock())
    found = audited(world, "processing")
    world.clock.advance(days=400)

    [(severity, subject, why)] = found
    assert (severity, subject) == ("high", "blackmail")
    assert why.startswith("data were used for 'blackmail', which isn't declared: 1 use under catalogue 1, ")
    assert {severity for severity, *_ in audited(world, "processing")} == {"high", "low"}


# -------------------------------------------------------------------------------------------------------------- guards


def triggers_of(world):
    """Return (trigger, table) of all that refuse changes."""
    if world.dialect == "sqlite":
        return world.rows("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger'")
    return world.rows(
        "SELECT t.tgname, c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
    )


def test_insert_only_tables_that_lost_their_triggers_are_named_one_by_one(world):
    before = audited(world, "guards")
    for trigger, table in triggers_of(world):
        world.tamper(f"DROP TRIGGER {trigger}" + ("" if world.dialect == "sqlite" else f" ON {table}"))
    found = audited(world, "guards")
    why = "its triggers are gone or switched off, so its rows can be changed: verify them, and restore the triggers"
    assert (before, found) == ([], [("critical", table, why) for table in sorted(schema.insert_only())])


def test_one_lost_trigger_is_found(world):
    [(trigger, table)] = [(trigger, table) for trigger, table in triggers_of(world) if trigger in GONE]
    world.tamper(f"DROP TRIGGER {trigger}" + ("" if world.dialect == "sqlite" else f" ON {table}"))
    assert [subject for _, subject, _ in audited(world, "guards")] == ["ledger_entry"]


def test_triggers_that_are_switched_off_are_found(postgresql_world):
    """SQLite can drop triggers, and not switch them off."""
    postgresql_world.tamper("ALTER TABLE ledger_entry DISABLE TRIGGER USER")
    assert [subject for _, subject, _ in audited(postgresql_world, "guards")] == ["ledger_entry"]
    postgresql_world.tamper("ALTER TABLE notice ENABLE TRIGGER USER")
    assert [subject for _, subject, _ in audited(postgresql_world, "guards")] == ["ledger_entry", "notice"]
