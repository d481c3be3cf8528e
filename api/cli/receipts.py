"""`byleave ledger receipt` and `verify-receipt`: what a customer takes home, and whether it holds.

To verify needs no deployment, no database and no network: the file and the log's public key are enough.
"""

from pathlib import Path

import click

from api.cli.frame import FILE, OK, REFUSED, Command, Number, at_home, json_option
from api.cli.output import print_facts, print_json, print_line, print_verbatim
from api.cli.vkeys import Keys
from api.roles import action
from consent.ledger.note import Verifier
from consent.receipts import checking, issuing
from consent.receipts.checking import Holds

_POSITION = Number(0, 2**53 - 1)


@click.command(cls=Command, example="byleave ledger receipt 20")
@click.argument("position", type=_POSITION, metavar="SEQ")
@json_option
@action("receipts.show")
def receipt(position: int, *, as_json: bool) -> None:  # noqa: ARG001 -- a receipt is one JSON object in any case
    """Print the receipt of the statement at a ledger position: JSON-LD, with the proof. It is JSON with --json too."""
    with at_home() as house:
        deployment = house.deployment
        made = issuing.issue(deployment.store, deployment.desk, position, at=deployment.clock())
    print_verbatim(made.body.decode())


@click.command(
    "verify-receipt",
    cls=Command,
    example="byleave ledger verify-receipt receipt-20.jsonld --key log.vkey",
)
@click.argument("file", type=FILE)
@click.option(
    "--key", "keys", type=Keys(), multiple=True, required=True,
    help="The log's verifier key as you kept it, or a file with one; repeat it where there have been several.",
)  # fmt: skip
@json_option
@action("receipts.verify")
def verify_receipt(file: Path, keys: tuple[tuple[Verifier, ...], ...], *, as_json: bool) -> int:
    """Say whether a receipt holds. Needs no deployment, no database and no network."""
    with file.open("rb") as opened:
        raw = opened.read(checking.LARGEST + 1)
    found = checking.verdict(raw, [key for each in keys for key in each])
    why = "" if isinstance(found, Holds) else found.why
    if as_json:
        print_json({"ok": not why, "why": why})
    elif isinstance(found, Holds):
        _print_held(found)
    else:
        print_line(f"The receipt does not hold: {why}.")
    return REFUSED if why else OK


def _print_held(found: Holds) -> None:
    said = found.proof.said
    print_line("The receipt holds: the ledger has recorded just this, and can't take it back unnoticed.")
    print_facts(
        {
            "customer": found.proof.payload["customer"], "act": said["act"], "scopes": said.get("scopes", []),
            "said at": said["said_at"], "method": said["method"], "recorded at": found.proof.entry.at,
            "by": found.proof.payload["actor"], "asked by": found.proof.terms["controller"]["name"],
            "entry": f"{found.proof.entry.log}/{found.proof.entry.seq}", "signed at size": found.checkpoint.size,
        }
    )  # fmt: skip
    print_line("It does not show that nothing else was said since, nor that everybody is shown the same ledger:")
    print_line("for that, compare the checkpoint in it with one that was published or witnessed.")
