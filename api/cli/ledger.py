"""`byleave ledger`: verify the ledger, and prove what is in it."""

from time import perf_counter

import click

from api.actors.actor import require
from api.cli.frame import OK, REFUSED, Group, Words, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_verbatim
from api.roles import action
from consent.base.canonical import b64
from consent.base.clock import parse_time
from consent.base.errors import EntryUnknown, LedgerBroken
from consent.ledger import entry, log, merkle, note, proof, stored
from consent.ledger.verify import Verified, verify
from consent.register import proving

_SEQ = click.IntRange(0, 2**53 - 1)


@click.group(cls=Group)
def ledger() -> None:
    """Verify the ledger, and prove what is in it."""


@ledger.command("verify", example="byleave ledger verify --json")
@click.option("--vkey", type=Words("key", 400), help="The log's verifier key as you kept it; else that of the keyring.")
@json_option
@action("ledger.verify")
def verify_(vkey: str | None, *, as_json: bool) -> int:
    """Verify every stored byte: entries, tree, head, checkpoints, payloads, catalogues. Nothing is repaired."""
    began = perf_counter()
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            # Of the origin alone: a head that was tampered with is for `verify` to find.
            origin = stored.newest(work).origin
        own = note.vkey(origin, proving.signer(deployment.desk, origin).verifier.public_key)
        found = verify(deployment.store, vkey=vkey or own)
    seconds = round(perf_counter() - began, 3)
    if as_json:
        bad = found.first_bad
        print_json(
            {
                "ok": found.ok, "size": found.size, "root": b64(found.root), "checked": found.checked,
                "first_bad": bad and {"seq": bad.seq, "table": bad.table, "why": bad.why}, "seconds": seconds,
            }
        )  # fmt: skip
    else:
        _print_verified(found, seconds)
    return OK if found.ok else REFUSED


@ledger.command(example="byleave ledger checkpoint --sign")
@click.option("--sign", is_flag=True, help="Sign the ledger as it stands now, if no checkpoint covers all of it.")
@json_option
@action("ledger.checkpoint")
def checkpoint(*, sign: bool, as_json: bool) -> None:
    """Print the newest signed checkpoint: a C2SP note, to be kept somewhere else."""
    with at_home() as house:
        deployment = house.deployment
        if sign:
            require(caller(), "ledger.sign")
            at = deployment.clock()
            with deployment.store.write() as work:
                signed: str | None = proving.sign_checkpoint(deployment.desk, work, at=at)
        else:
            with deployment.store.read() as work:
                signed = proving.newest_checkpoint(work)
    if signed is None:
        raise EntryUnknown("no checkpoint was signed yet: byleave ledger checkpoint --sign")
    if as_json:
        origin, size, root, *_ = signed.split("\n")
        print_json({"origin": origin, "size": int(size), "root": root, "checkpoint": signed})
    else:
        print_verbatim(signed)


@ledger.command(example="byleave ledger prove 0")
@click.argument("seq", type=_SEQ)
@json_option
@action("ledger.prove")
def prove(seq: int, *, as_json: bool) -> None:
    """Prove that an entry is in the ledger: a C2SP proof, from the entry to a signed checkpoint."""
    with at_home() as house, house.deployment.store.read() as work:
        shown = proving.inclusion(work, seq)
    if not as_json:
        print_verbatim(proof.write(shown.seq, shown.path, checkpoint_note=shown.checkpoint))
        return
    print_json(
        {
            "seq": shown.seq, "entry": shown.body.decode(), "leaf_hash": b64(shown.leaf_hash), "size": shown.size,
            "path": [b64(each) for each in shown.path], "checkpoint": shown.checkpoint,
        }
    )  # fmt: skip


@ledger.command(example="byleave ledger vkey")
@json_option
@action("ledger.checkpoint")
def vkey(*, as_json: bool) -> None:
    """Print the verifier key: with it everybody can verify checkpoints and proofs. Keep it apart from the database."""
    with at_home() as house, house.deployment.store.read() as work:
        key = proving.verifier_key(house.deployment.desk, work)
    if as_json:
        print_json({"vkey": key})
    else:
        print_line(key)


@ledger.group(cls=Group)
def entries() -> None:
    """Entries, as they are stored."""


@entries.command("show", example="byleave ledger entries show 0")
@click.argument("seq", type=_SEQ)
@json_option
@action("ledger.show")
def show_entry(seq: int, *, as_json: bool) -> None:
    """Show an entry. Nothing in it names anybody; what it says is sealed."""
    with at_home() as house, house.deployment.store.read() as work:
        body = log.body_of(work, log.head(work).log, seq)
    read = entry.read(body)
    if read is None:
        raise LedgerBroken(f"entry {seq} is not of the form")
    answer = {
        "seq": read.seq, "at": parse_time(read.at), "kind": read.kind, "catalogue_version": read.catalogue_version,
        "log": read.log, "commitment": b64(read.commitment), "digest": b64(read.digest),
        "leaf_hash": b64(merkle.leaf_hash(body)), "entry": body.decode(),
    }  # fmt: skip
    if as_json:
        print_json(answer)
    else:
        print_facts(answer)


def _print_verified(found: Verified, seconds: float) -> None:
    if found.ok:
        print_line(f"The ledger is whole: {found.checked:,} entries verified in {seconds:,.1f} s.")
    else:
        print_line(f"The ledger is broken. {len(found.bad)} wrong spots, the first ones:")
        for bad in found.bad[:10]:
            print_line(f"  entry {bad.seq}, {bad.table}: {bad.why}")
    print_facts(
        {"size": found.size, "root": b64(found.root), "checkpoints": found.checkpoints, "signed up to": found.anchored}
    )
