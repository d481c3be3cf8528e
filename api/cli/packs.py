"""`byleave audit pack`: evidence packs, to be verified offline by whoever gets them."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from api.cli.files import write_out
from api.cli.frame import FILE, OK, REFUSED, Group, Instant, Number, Refused, Words, at_home, caller, found, json_option
from api.cli.output import print_json, print_line, print_table, say
from api.cli.vkeys import Keys
from api.explained import EXPLAINED
from api.roles import action
from consent.audit.packs import making, shelf, verify
from consent.audit.packs.about import About, Subject
from consent.audit.packs.shelf import Stage
from consent.ledger import note
from consent.ledger.note import Verifier


@click.group(cls=Group)
def pack() -> None:
    """Evidence packs: a zip that anybody can verify offline."""


@pack.command(example="byleave audit pack make --customer S000001 --out pack.zip")
@click.option("--customer", type=Words("customer", 254), help="About this customer.")
@click.option("--from", "since", type=Instant(), help="About a period: its first moment.")
@click.option("--to", "until", type=Instant(), help="The first moment after the period.")
@click.option("--audit", type=Words("id"), help="About this audit.")
@click.option("--personal", is_flag=True, help="Open what the customer said: personal data. It is recorded as a use.")
@click.option("--reason", type=Words("text", 2_000), help="Why it is opened; needed with --personal.")
@click.option("--out", type=FILE, required=True, help="The file to write; none may be there.")
@json_option
@action("packs.make")
def make(*, out: Path, as_json: bool, **asked: Any) -> None:  # noqa: ANN401 -- the options above
    """Make a pack about a customer, a period or an audit. The ledger notes that it was handed out."""
    if sum(map(bool, (asked["customer"], asked["audit"], asked["since"] or asked["until"]))) != 1:
        raise click.UsageError("say what it is about: --customer, or --audit, or --from and --to")
    with at_home() as house:
        deployment = house.deployment
        with deployment.store.read() as work:
            customer = found(house, work, asked["customer"]) if asked["customer"] else ""
        with deployment.store.write() as work:
            identity = shelf.ask(work, _about(customer, asked), actor=caller().name, at=deployment.clock())
        made = making.make(deployment, identity, explained=EXPLAINED)
        if made.stage is not Stage.READY:
            raise Refused(made.detail)
        with deployment.store.read() as work:
            write_out(out, b"".join(shelf.body(deployment.desk, work, made)))
    if as_json:
        print_json({**made.as_json(), "file": str(out)})
        return
    print_line(f"{made.id}: {made.size:,} bytes in {out}, noted in the ledger at position {made.position:,}")
    say(f"verify it anywhere: python verify.py {out}, with the verify.py in it")


def _about(customer: str, asked: dict[str, Any]) -> About:
    since: datetime | None = asked["since"]
    kind = Subject.CUSTOMER if customer else Subject.AUDIT if asked["audit"] else Subject.PERIOD
    return About(
        kind=kind, customer=customer, since=since, until=asked["until"], audit=asked["audit"] or "",
        personal=asked["personal"], reason=asked["reason"] or "",
    )  # fmt: skip


@pack.command("list", example="byleave audit pack list")
@click.option("--limit", type=Number(1, 1_000), default=20, show_default=True, help="How many at most.")
@click.option("--cursor", type=Words("cursor"), help="The cursor after which to go on.")
@json_option
@action("packs.show")
def list_(limit: int, cursor: str | None, *, as_json: bool) -> None:
    """List the packs that were asked for, the newest first."""
    with at_home() as house, house.deployment.store.read() as work:
        listed = shelf.listed(work, after=cursor or "", most=limit + 1)
    following = listed[limit - 1].id if len(listed) > limit else None
    listed = listed[:limit]
    if as_json:
        print_json({"data": [each.as_json() for each in listed], "next_cursor": following})
        return
    none = "No pack was asked for yet: byleave audit pack make --audit ID --out pack.zip"
    print_table(
        ("pack", "asked", "by", "about", "opened", "state", "bytes"),
        [
            (each.id, each.asked_at, each.asked_by, " ".join(each.about.as_text().values()), each.about.personal,
             str(each.stage), each.size)
            for each in listed
        ],
        empty="No pack comes after that." if cursor else none,
    )  # fmt: skip
    if following:
        say(f"go on with: --cursor {following}")


@pack.command("verify", example="byleave audit pack verify pack.zip --vkey log.vkey")
@click.argument("file", type=FILE)
@click.option(
    "--vkey",
    "keys",
    type=Keys(),
    multiple=True,
    help="The log's verifier key, as you got it elsewhere; or a file of it.",
)
@json_option
@action("packs.verify")
def verify_(file: Path, keys: tuple[tuple[Verifier, ...], ...], *, as_json: bool) -> int:
    """Verify a pack, as the verify.py in it does: without a database and without a network."""
    file.stat()  # one that is not there can't be judged: that is no refusal
    given = [str(file), *(["--json"] if as_json else [])]
    for key in (key for each in keys for key in each):
        given += ["--vkey", note.vkey(key.name, key.public_key)]
    sys.stdout.flush()
    return OK if verify.main(given) == OK else REFUSED
