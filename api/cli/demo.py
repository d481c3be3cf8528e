"""`byleave demo`: a sample shop, and the whole story on it."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from api import journey
from api.cli.frame import OK, REFUSED, Command, Number, Refused, json_option
from api.cli.output import print_facts, print_json, print_line, print_table, steps
from api.roles import action
from consent.base.counting import counted

MARKER: Final = ".made-by-byleave-demo"
"""Lies in a folder that `demo` made, and may therefore make anew."""

_LOOK: Final = (
    ("campaign report spring", "what the treatments did"),
    ("permission history S000004", "what one customer said"),
    ("decide S000004 --campaign spring", "what to do about him now, and why"),
    ("audit run", "whether every use was allowed"),
    ("ledger verify", "every byte, again"),
)


@click.command(cls=Command, example="byleave demo --customers 500")
@click.option(
    "--folder", type=click.Path(path_type=Path), default=Path("byleave-demo"), show_default=True,
    help="Where it is made; made anew, if an earlier demo made it.",
)  # fmt: skip
@click.option("--customers", type=Number(100, 999_999), default=20_000, show_default=True, help="How many.")
@click.option("--seed", type=Number(0, 2**32 - 1), default=1, show_default=True, help="Another seed, another shop.")
@json_option
@action("demo.run")
def demo(folder: Path, customers: int, seed: int, *, as_json: bool) -> int:
    """Make a sample shop and run the whole story on it.

    Import, dry run, run, outcomes, withdrawals, second run, audit, proof. Every customer is made up. The exit code is 1
    if anybody was addressed without permission, or a proof failed.
    """
    _cleared(folder)
    with steps() as tell:
        told = journey.demo(folder, count=customers, seed=seed, tell=tell)
    if as_json:
        print_json(told)
    else:
        _print(told, folder)
    return OK if _proven(told) else REFUSED


def _cleared(folder: Path) -> None:
    """Make the folder anew.

    Raises:
        Refused: there is one that no demo made.
    """
    if folder.exists():
        if not (folder / MARKER).is_file():
            raise Refused(f"{folder} was not made by a demo, and is left as it is: give another --folder")
        shutil.rmtree(folder)
    folder.mkdir(mode=0o700, parents=True)
    (folder / MARKER).write_text("Made by `byleave demo`, which deletes this folder when it is run again.\n")


def _print(told: Mapping[str, Any], folder: Path) -> None:
    dry, first, second = told["dry_run"], told["run"], told["second_run"]
    print_line(f"A shop with {told['customers']:,} customers, all of them made up, in {folder}")
    print_line()
    print_table(
        ("what happened", "customers", "addressed", "held out", "left alone", "without permission"),
        [
            _counted("dry run", dry, None),
            _counted("run", first, first["addressed_without_permission"]),
            _counted(
                f"run again, after {told['withdrawn']:,} withdrew", second, second["addressed_without_permission"]
            ),
        ],
        empty="Nothing.",
    )
    print_line()
    ledger, audit = told["ledger"], told["audit"]
    whole = "whole" if ledger["ok"] else "BROKEN"
    findings = counted(len(audit["findings"]), "finding")
    print_facts(
        {
            "ledger": f"{whole}, {counted(ledger['checked'], 'entry', 'entries')} verified",
            "audit": f"{audit['status']}, {findings}, {counted(len(audit['gaps']), 'gap')}",
            "took": f"{told['seconds']:,.1f} s, {told['peak_memory_mb']:,.0f} MB",
        }
    )
    print_line()
    print_line(f"What to look at, after: export BYLEAVE_HOME={shlex.quote(str(folder))}")
    for command, why in _LOOK:
        print_line(f"  {_called()} {command:<34} {why}")
    print_line("  make serve")


def _called() -> str:
    """Return what to type: `byleave` as it was called, which is not on the path where make set it up."""
    typed = sys.argv[0]
    return typed if Path(typed).name == "byleave" else "byleave"


def _proven(told: Mapping[str, Any]) -> bool:
    unpermitted = sum(told[name]["addressed_without_permission"] for name in ("run", "second_run"))
    return bool(unpermitted == 0 and told["audit"]["status"] == "passed" and told["ledger"]["ok"])


def _counted(name: str, counts: Mapping[str, Any], without: int | None) -> tuple[object, ...]:
    addressed = sum(counts["chosen"].values())
    return name, counts["customers"], addressed, counts["holdout"], counts["left_alone"], without
