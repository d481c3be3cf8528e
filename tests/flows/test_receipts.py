"""Receipts of what stands in a ledger: of every kind of statement, the same each time, and good after an erasure."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.erasing import ERASERS
from consent.base.errors import EntryUnknown, LedgerBroken
from consent.base.ids import CustomerId
from consent.catalogue.reading import DEFAULT
from consent.ledger import note
from consent.ledger.position import LOG_BITS
from consent.permission.statement import Act, Method
from consent.receipts import checking, issuing
from consent.receipts.checking import Holds, Refused
from consent.register import customers, merging, proving, rotating, sealing
from consent.rights import erasing
from consent.rights.erasing import Ground
from tests.builders import START
from tests.flows.test_cosigning import watched
from tests.world import World

MAIL, NEWS = "contact:email:recommendations", "contact:email:newsletter"
INTEREST = "remember:responses"


def receipt(world: World, position: int, customer: CustomerId | None = None) -> bytes:
    deployment = world.deployment
    return issuing.issue(deployment.store, deployment.desk, position, at=world.clock(), customer=customer).body


def keys(world: World) -> list[str]:
    with world.store.read() as work:
        return issuing.published_keys(world.deployment.desk, work)


def verdict(raw: bytes, *vkeys: str) -> Holds | Refused:
    return checking.verdict(raw, [note.verifier_of(each) for each in vkeys])


def holds(world: World, raw: bytes) -> bool:
    """Say whether a receipt holds offline, with the published keys, and by this deployment's own word."""
    with world.store.read() as work:
        own = issuing.verdict(world.deployment.desk, work, json.loads(raw))
    found = verdict(raw, *keys(world))
    assert isinstance(own, Holds) is isinstance(found, Holds), (own, found)
    return isinstance(found, Holds)


def checkpoints(world: World) -> int:
    [(count,)] = world.rows("SELECT count(*) FROM ledger_checkpoint")
    return int(count)


def test_every_kind_of_statement_has_a_receipt(world: World) -> None:
    ann, said = world.ann, world.statement
    recorded = [
        *world.say(said(world.bo, "request", MAIL), said(world.bo, "grant", MAIL, language="de-AT")),
        *world.say(said(world.bo, "refuse", NEWS), said(ann, "withdraw", MAIL), said(ann, "object", INTEREST)),
        *world.say(said(ann, "renew", NEWS), said(ann, "invalidate", NEWS, evidence="file 7")),
        *world.say(said(ann, "pause", until=START.replace(year=2027)), said(ann, "resume")),
        *world.say(said(ann, "restrict"), said(ann, "lift")),
        *world.say(said(ann, "refuse", method=Method.SIGNAL, evidence="Sec-GPC: 1")),
        *world.say(said(ann, "grant", NEWS, guardian=True, age=15, method=Method.PAPER)),
    ]
    assert {one.statement.act for one in recorded} == set(Act)
    raws = {one.seq: receipt(world, one.seq, one.customer) for one in recorded}
    assert [seq for seq, raw in raws.items() if not holds(world, raw)] == []
    told = {seq: json.loads(raw)["dpv:hasRecordOfActivity"][0] for seq, raw in raws.items()}
    assert [told[one.seq]["byleave:act"] for one in recorded] == [one.statement.act.value for one in recorded]
    world.check_ledger()


def test_rule_14_the_same_key_twice_gives_the_same_receipt(world: World) -> None:
    """Rule 14: the same idempotency key twice gives one event and the same receipt."""
    granted = world.statement(world.bo, "grant", MAIL, NEWS, language="de")
    [first] = world.say(granted, key="k1")
    before = receipt(world, first.seq)
    world.clock.advance(hours=1)
    world.withdraw(world.bo, NEWS)
    with world.store.write() as work:
        proving.sign_checkpoint(world.deployment.desk, work, at=world.clock())
    [again] = world.say(granted, key="k1")
    assert (again.seq, again.repeated) == (first.seq, True)
    assert receipt(world, again.seq) == before


def test_rule_14_a_receipt_stays_the_same_when_its_checkpoint_is_cosigned(world: World, tmp_path: Path) -> None:
    done = world.grant(world.bo, MAIL)
    before = receipt(world, done.seq)
    with watched(world, tmp_path / "witness") as (_, witnessing):
        assert witnessing.cosign().trouble == ""
    with world.store.read() as work:
        proven = proving.inclusion(work, done.seq).checkpoint
    signed = json.loads(before)["byleave:proof"]["byleave:checkpoint"]
    assert (proven.startswith(signed), proven == signed) == (True, False)  # a proof has the witness's line
    assert receipt(world, done.seq) == before
    assert holds(world, before)


def test_a_receipt_is_signed_at_once_and_only_once(world: World) -> None:
    done = world.grant(world.bo, MAIL)
    count = checkpoints(world)
    assert holds(world, receipt(world, done.seq))
    assert checkpoints(world) == count + 1
    receipt(world, done.seq)
    assert checkpoints(world) == count + 1


def test_a_receipt_says_what_the_catalogue_of_its_time_said(world: World) -> None:
    done = world.grant(world.bo, MAIL, language="en")
    before = receipt(world, done.seq)
    words, notice = "at most two in 30 days", 'key = "contact-email-recommendations"\nversion = '
    text = DEFAULT.read_text(encoding="utf-8").replace(words, "as often as we like")
    world.publish(text.replace(f"{notice}1", f"{notice}2"))
    assert receipt(world, done.seq) == before
    assert words in before.decode()


def test_rule_4_a_receipt_holds_the_very_words_and_their_hash(world: World) -> None:
    """Rule 4: for any event the byte-exact rendered notice can be shown, matching its stored hash."""
    done = world.grant(world.bo, MAIL, language="de")
    found = verdict(receipt(world, done.seq), *keys(world))
    assert isinstance(found, Holds)
    with world.store.read() as work:
        shop = world.deployment.desk.catalogues.current(work)
    notice = shop.notices["contact-email-recommendations", 1]
    [scope] = found.proof.terms["scopes"]
    assert scope["notice"] == {
        "key": notice.key, "version": 1, "language": "de", "text": notice.wording["de"],
    }  # fmt: skip
    [told] = json.loads(receipt(world, done.seq))["dpv:hasRecordOfActivity"]
    assert told["dpv:hasNotice"][0]["byleave:sha256"] == notice.digest("de")


def test_somebody_elses_statement_has_no_receipt(world: World) -> None:
    done = world.grant(world.bo, MAIL)
    assert holds(world, receipt(world, done.seq, world.bo))
    for position in (done.seq, 10**6, 5 << LOG_BITS, 2**53 - 1):
        with pytest.raises(EntryUnknown):
            receipt(world, position, world.ann)


def test_an_entry_that_is_no_statement_has_no_receipt(world: World) -> None:
    with pytest.raises(EntryUnknown):
        receipt(world, 0)


def test_who_goes_on_as_another_keeps_his_receipts(world: World) -> None:
    done = world.grant(world.bo, MAIL)
    before = receipt(world, done.seq, world.bo)
    with world.store.write() as work:
        merging.merge(world.deployment.desk, work, world.bo, world.ann, actor=world.cy, at=world.clock())
    assert receipt(world, done.seq, world.ann) == before
    assert holds(world, before)


def test_fault_13_after_an_erasure_old_receipts_hold_and_new_ones_are_not_made(world: World) -> None:
    """Fault 13: after the erasure old receipts verify."""
    done = world.grant(world.bo, MAIL)
    kept = receipt(world, done.seq)
    erase(world, world.bo)
    assert holds(world, kept)
    with pytest.raises(EntryUnknown):
        receipt(world, done.seq)
    world.check_ledger()


def erase(world: World, who: CustomerId) -> None:
    """Erase a customer as the faces do."""
    deployment = world.deployment
    with world.store.write() as work:
        erasing.erase(
            deployment.desk, work, who, listed=deployment.erasures, besides=ERASERS, ground=Ground.WITHDRAWN,
            actor=world.cy, at=world.clock(),
        )  # fmt: skip


def test_a_receipt_of_a_sealed_log_and_one_of_the_next_hold_with_either_key(world: World) -> None:
    old = world.grant(world.bo, MAIL)
    [before] = keys(world)
    world.clock.set(datetime(2027, 1, 2, tzinfo=UTC))
    with world.store.write() as work:
        sealing.seal(world.deployment.desk, work, at=world.clock())
    new = world.grant(world.bo, NEWS)
    assert new.seq > 1 << LOG_BITS
    raws = [receipt(world, one.seq, world.bo) for one in (old, new)]
    [after] = keys(world)
    assert before != after
    assert [isinstance(verdict(raw, key), Holds) for raw in raws for key in (before, after)] == [True] * 4
    assert [holds(world, raw) for raw in raws] == [True, True]
    with world.store.read() as work:
        swapped = issuing.verdict(world.deployment.desk, work, json.loads(raws[1]), position=old.seq)
    assert isinstance(swapped, Refused)


def test_a_receipt_signed_by_a_key_that_was_rotated_out_holds_and_a_later_one_by_it_does_not(world: World) -> None:
    done = world.grant(world.bo, MAIL)
    raw = receipt(world, done.seq)
    [old] = keys(world)
    with world.store.write() as work:
        rotating.rotate(world.deployment.desk, work, actor="shell", at=world.clock())
    newer = receipt(world, world.grant(world.bo, NEWS).seq)
    assert keys(world)[0] == old
    new = keys(world)[1]
    assert [holds(world, each) for each in (raw, newer)] == [True, True]
    verdicts = [verdict(each, key) for each in (raw, newer) for key in (old, new)]
    assert [isinstance(each, Holds) for each in verdicts] == [True, False, False, True]


def test_a_receipt_of_what_was_changed_in_the_database_is_not_made(world: World) -> None:
    done, other = world.grant(world.bo, MAIL), world.grant(world.bo, NEWS)
    assert holds(world, receipt(world, done.seq))
    world.tamper(
        "UPDATE ledger_payload SET sealed = (SELECT sealed FROM ledger_payload WHERE seq = :other) WHERE seq = :seq",
        other=other.seq, seq=done.seq,
    )  # fmt: skip
    with pytest.raises(LedgerBroken):
        receipt(world, done.seq)


def test_a_receipt_needs_no_database_to_be_verified(sqlite_world: World) -> None:
    done = sqlite_world.grant(sqlite_world.bo, MAIL)
    raw, [key] = receipt(sqlite_world, done.seq), keys(sqlite_world)
    sqlite_world.store.close()
    assert isinstance(verdict(raw, key), Holds)
    assert isinstance(verdict(raw.replace(b"ConsentGiven", b"ConsentRefused"), key), Refused)


def test_a_customer_who_is_enrolled_again_does_not_get_anothers_receipts(world: World) -> None:
    done = world.grant(world.bo, MAIL)
    with world.store.write() as work:
        [new] = customers.enrol(world.deployment.desk, work, [{"reference": "NEW"}], at=world.clock())
    with pytest.raises(EntryUnknown):
        receipt(world, done.seq, new)
