"""`byleave ledger`: verify the ledger, and prove what is in it."""

from pathlib import Path
from time import perf_counter
from typing import Final

import click

from api.actors.actor import require
from api.cli import ledger_keeping
from api.cli.frame import FILE, OK, REFUSED, Group, Number, at_home, caller, json_option
from api.cli.output import print_facts, print_json, print_line, print_verbatim
from api.cli.receipts import receipt, verify_receipt
from api.cli.vkeys import Key
from api.roles import action
from consent.base.canonical import b64
from consent.base.clock import parse_time
from consent.base.counting import counted
from consent.base.errors import EntryUnknown, LedgerBroken
from consent.ledger import entry, log, merkle, note, proof
from consent.ledger.exported import verify_exported
from consent.ledger.note import NoteRefused, Verifier
from consent.ledger.verify import Verified, verify
from consent.register import proving

_SEQ = Number(0, 2**53 - 1)
_NOT_JUDGED: Final = (
    "Entries were judged, and payloads that are there: whether a customer's payload was deleted, or given to another, "
    "is for `byleave audit run --check standing` to say."
)


@click.group(cls=Group)
def ledger() -> None:
    """Verify the ledger, and prove what is in it."""


ledger.add_command(receipt)
ledger.add_command(verify_receipt)
for _command in ledger_keeping.COMMANDS:
    ledger.add_command(_command)


@ledger.command("verify", example="byleave ledger verify --json")
@click.option(
    "--key",
    "--vkey",
    "vkey",
    type=Key(),
    help="The log's verifier key as you kept it, or a file of it; else that of the keyring.",
)
@click.option("--from", "folder", type=FILE, help="Verify an exported directory instead: no deployment is needed.")
@click.option("--mark", type=FILE, help="Go on from the checkpoint in this file, and put the newest one there.")
@json_option
@action("ledger.verify")
def verify_(vkey: tuple[Verifier] | None, folder: Path | None, mark: Path | None, *, as_json: bool) -> int:
    """Verify every stored byte of every log, and the chain between them. Nothing is repaired.

    Entries, tree, head, checkpoints, payloads, catalogues. With --mark only what came since it was verified last, as
    the signed checkpoint in the file says; with --from the files of an export, by the key alone.
    """
    began = perf_counter()
    if folder is not None:
        if vkey is None or mark is not None:
            raise click.UsageError("--from needs --key, and goes without --mark")
        found = verify_exported(folder, vkey=_line(vkey))
    else:
        found = _verified(_line(vkey) if vkey else None, mark)
    seconds = round(perf_counter() - began, 3)
    if as_json:
        print_json({**found.as_json(), "seconds": seconds})
    else:
        _print_verified(found, seconds)
        if found.ok and folder is None:
            print_line(_NOT_JUDGED)
    return OK if found.ok else REFUSED


def _verified(vkey: str | None, mark: Path | None) -> Verified:
    with at_home() as house:
        deployment = house.deployment
        if vkey is None:
            with deployment.store.read() as work:
                vkey = proving.verifier_key(deployment.desk, work)
        since = _since(mark) if mark else ""
        try:
            found = verify(deployment.store, vkey=vkey, since=since)
        except NoteRefused as forged:  # the key was read before: it is the mark
            raise click.BadParameter(f"{mark}: {forged.detail}", param_hint="--mark") from forged
        if mark and found.ok and found.anchored:
            with deployment.store.read() as work:
                signed = proving.checkpoint_at(work, found.logs[-1].log, found.anchored)
            unready = mark.with_name(f".{mark.name}.new")
            unready.write_text(signed, "utf-8")
            unready.replace(mark)
    return found


def _since(mark: Path) -> str:
    """Return the checkpoint that is kept in a file; nothing, where verification begins with it."""
    try:
        kept = mark.read_text("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as bad:
        raise click.BadParameter(f"{mark} is not a checkpoint", param_hint="--mark") from bad
    if not kept.strip():
        raise click.BadParameter(f"{mark} is empty: delete it to verify everything", param_hint="--mark")
    return kept


def _line(key: tuple[Verifier]) -> str:
    return note.vkey(key[0].name, key[0].public_key)


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
    """Prove that an entry is in the ledger: a C2SP proof, from the entry to a signed checkpoint.

    SEQ is a position in the ledger; the proof speaks of the entry's place in its log, which the checkpoint names. Where
    none covers the entry yet, one is signed.
    """
    with at_home() as house:
        deployment = house.deployment
        shown = proving.proven(deployment.store, deployment.desk, seq, at=deployment.clock())
    if not as_json:
        print_verbatim(proof.write(shown.seq, shown.path, checkpoint_note=shown.checkpoint))
        return
    print_json(
        {
            "seq": shown.seq, "size": shown.size, "leaf_hash": b64(shown.leaf_hash),
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
        body = log.body_at(work, seq)
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


def _spots(count: int) -> str:
    """Say how many spots are wrong, before the first ones are shown.

    >>> _spots(1), _spots(1_200)
    ('1 wrong spot', '1,200 wrong spots, the first ones')
    """
    return counted(count, "wrong spot") + (", the first ones" if count > 1 else "")


def _print_verified(found: Verified, seconds: float) -> None:
    if found.ok:
        since = f", after {found.logs[0].first:,} that were verified before" if found.logs[0].first else ""
        print_line(
            f"The ledger is whole: {counted(found.checked, 'entry', 'entries')} verified in {seconds:,.1f} s{since}."
        )
    else:
        print_line(f"The ledger is broken. {_spots(len(found.bad))}:")
        for bad in found.bad[:10]:
            print_line(f"  entry {bad.seq}, {bad.table}: {bad.why}")
    print_facts(
        {
            "log": found.logs[-1].origin, "size": found.size, "root": b64(found.root), "logs": len(found.logs),
            "checkpoints": found.checkpoints, "signed up to": found.anchored,
        }
    )  # fmt: skip
