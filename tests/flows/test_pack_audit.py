"""Audits of evidence packs: whatever is not as the ledger tells of it is named by the pack."""

import pytest

from consent.audit import checks
from consent.audit.findings import Evidence
from consent.audit.judging import judged
from consent.audit.packs import shelf
from tests.erasing import erase
from tests.packing import about, made

CHECK = [check for check in checks.CHECKS if check.key == "evidence_packs"]


def audited(world):
    """Return what the check says of packs, and how many it judged."""
    [went] = judged(CHECK, Evidence(store=world.store, desk=world.deployment.desk, at=world.clock()), world.clock)
    assert not went.gaps
    return [(one.subject, one.why) for one in went.findings], went.checked


@pytest.fixture
def packed(world):
    """Return a world with two packs: one about Ann, opened, and one about a period."""
    pack, _ = made(world, about(world, customer=world.ann, personal=True, reason="a court asks"))
    made(world, about(world, "period", since=world.clock().replace(year=2020), until=world.clock()))
    assert audited(world) == ([], 2)
    return world, f"evidence_pack {pack.id}", pack


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("digest = :other", "its digest is not that of its bytes"),
        ("size = size + 1", "its size is not that of its bytes"),
        ("asked_by = 'staff:nobody'", "not what entry {at} says of it: actor"),
        ('about = \'{"kind":"audit"}\'', "not what entry {at} says of it: about"),
        ("state = 'failed'", "it was handed out, and is said to be failed"),
        ("state = 'expired'", "it is expired, and bytes of it are still kept"),
        ("position = 3", "it is said to stand in entry 3, and it is entry {at} that tells of it"),
    ],
)
def test_a_pack_that_was_changed_is_found(packed, change, why):
    world, name, pack = packed
    sql = f"UPDATE evidence_pack SET {change} WHERE id = :it"  # noqa: S608 -- a change from above
    world.tamper(sql, it=pack.id, **({"other": bytes(32)} if ":other" in change else {}))
    assert (name, why.format(at=pack.position)) in audited(world)[0]


def test_a_pack_that_is_gone_is_found(packed):
    world, name, pack = packed
    world.tamper("DELETE FROM evidence_pack_part WHERE pack = :it", it=pack.id)
    assert audited(world)[0] == [(name, "its bytes can't be opened: they are no pack")]
    world.tamper("DELETE FROM evidence_pack WHERE id = :it", it=pack.id)
    assert audited(world)[0] == [(name, f"entry {pack.position} tells of it, and no row of evidence_pack does")]


def test_a_pack_that_nobody_handed_out_is_found(packed):
    world, _, pack = packed
    world.tamper(
        "INSERT INTO evidence_pack SELECT 'epk_made_up', asked_at, asked_by, about, customer, personal, reason, "
        "'expired', detail, position, size, digest, made_at, kept_until FROM evidence_pack WHERE id = :it",
        it=pack.id,
    )
    why = f"it is said to stand in entry {pack.position}, which tells of no such pack"
    assert audited(world)[0] == [("evidence_pack epk_made_up", why)]


def test_bytes_of_another_pack_are_found(packed):
    """The same key opens them; the place that each was sealed for is another."""
    world, name, pack = packed
    world.tamper("UPDATE evidence_pack_part SET sealed = :other WHERE pack = :it", other=bytes(64), it=pack.id)
    [(subject, why)] = audited(world)[0]
    assert (subject, why.startswith("its bytes can't be opened: ")) == (name, True)


def test_packs_that_are_no_longer_kept_or_about_somebody_erased_pass(packed):
    world, _, _ = packed
    erase(world, world.ann)
    assert audited(world) == ([], 2)
    world.clock.advance(days=31)
    with world.store.write() as work:
        assert shelf.tidy(work, at=world.clock()) == 1
    assert audited(world) == ([], 2)
