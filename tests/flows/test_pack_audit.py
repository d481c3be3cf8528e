"""Audits hold evidence packs against the entry that noted each, their bytes, and what audits had seen of them."""

from datetime import timedelta

import pytest

from consent.audit.checks import CHECKS
from consent.audit.packs import shelf
from consent.audit.run import run
from consent.register import merging, rekeying
from tests.attacker import Attacker
from tests.erasing import erase
from tests.packing import about, made

PACKS = next(check for check in CHECKS if check.key == "packs")


def seen(world):
    """Return what the check finds, as (subject, why); all of it is critical, and it leaves no gap."""
    report = run(world.deployment, [PACKS], asked_by="cy")
    assert report.all_gaps == [gap for gap in report.all_gaps if gap.why == "nothing was judged"]
    assert {str(one.severity) for one in report.all_findings} <= {"critical"}
    return [(one.subject, one.why) for one in report.all_findings]


def personal(world, customer=None):
    return made(world, about(world, customer=customer or world.ann, personal=True, reason="asked by a court"))


def tidy(world):
    with world.store.write() as work:
        return shelf.tidy(work, at=world.clock())


def test_packs_that_are_made_kept_let_go_of_refused_and_forgotten_raise_no_alarm(world):
    pack, _ = personal(world)
    made(world, about(world))
    made(world, about(world, "period", since=world.clock() - timedelta(days=9), until=world.clock()))
    made(world, about(world, customer=world.bo, personal=True, reason="asked by a court"))
    with world.store.write() as work:
        failed = shelf.one(work, shelf.ask(work, about(world), actor="cy", at=world.clock()))
        shelf.fail(work, failed, "it could not be made")
        assert shelf.ask(work, about(world), actor="cy", at=world.clock()) != failed.id
        merging.merge(world.deployment.desk, work, world.bo, world.ann, actor=world.cy, at=world.clock())
    rekeying.rotate(world.deployment.desk, world.store, actor="cy", clock=world.clock)
    assert (pack.stage, seen(world)) == ("ready", [])
    erase(world, world.ann)
    with world.store.read() as work:
        forgotten = {(one.about.personal, one.about.reason) for one in shelf.listed(work)}
    assert (forgotten, seen(world)) == ({(True, "erased"), (False, "")}, [])
    world.clock.advance(days=31)
    assert (tidy(world), seen(world)) == (1, [])
    world.check_ledger()


@pytest.mark.parametrize(
    ("tampering", "why"),
    [
        ("UPDATE evidence_pack SET digest = :other", "its digest or its size is not that of its bytes"),
        ("UPDATE evidence_pack SET size = size + 1", "its digest or its size is not that of its bytes"),
        ("UPDATE evidence_pack SET asked_by = 'otto'", "its actor is not what entry {position} says"),
        ("UPDATE evidence_pack SET personal = false, reason = ''", "its personal is not what entry {position} says"),
        ("UPDATE evidence_pack SET about = '{}'", "its row says of nothing what a pack can be about"),
        (
            "UPDATE evidence_pack SET position = 3",
            "it is ready, in entry 3, and entry {position} says that it was handed out",
        ),
        (
            "UPDATE evidence_pack SET state = 'failed', position = -1",
            "it is failed, in entry -1, and entry {position} says that it was handed out",
        ),
        ("UPDATE evidence_pack SET state = 'expired'", "it is said to be kept no longer, and its time is not over"),
        ("DELETE FROM evidence_pack_part", "its digest or its size is not that of its bytes"),
        (
            "UPDATE evidence_pack_part SET sealed = :other",
            "its bytes do not open: they were changed, or stand where they were not sealed for",
        ),
    ],
)
def test_a_pack_that_is_not_as_it_was_handed_out_is_found(world, tampering, why):
    pack, _ = personal(world)
    assert seen(world) == []
    Attacker(world).do(tampering, **({"other": bytes(32)} if ":other" in tampering else {}))
    assert (f"evidence_pack {pack.id}", why.format(position=pack.position)) in seen(world)


def test_a_pack_that_was_removed_and_one_that_was_never_made_are_found(world):
    pack, _ = personal(world)
    world.tamper("DELETE FROM evidence_pack_part")
    world.tamper("UPDATE evidence_pack SET id = 'epk_x'")
    assert seen(world) == [
        ("evidence_pack epk_x", "it is ready, and the ledger has not noted it"),
        ("evidence_pack epk_x", "its digest or its size is not that of its bytes"),
        (
            f"evidence_pack {pack.id}",
            f"entry {pack.position} says that it was handed out, and no row of evidence_pack does",
        ),
    ]


def test_of_a_pack_whose_bytes_are_gone_the_digest_is_what_an_audit_had_seen(world):
    pack, _ = personal(world)
    audit = run(world.deployment, [PACKS], asked_by="cy")
    world.clock.advance(days=31)
    assert (tidy(world), seen(world)) == (1, [])
    world.tamper("UPDATE evidence_pack SET digest = :other", other=bytes(32))

    why = f"its digest or its size is not what the audit of entry {audit.position} found"
    assert seen(world) == [(f"evidence_pack {pack.id}", why)]
