"""`byleave witness`: the ledger's second memory, a process of its own with its own file and its own key.

Nothing here opens the ledger's house: a witness can run on another machine, and had better.
"""

import os
import shlex
from contextlib import closing
from pathlib import Path
from typing import Final

import click
from granian import Granian
from granian.constants import Interfaces

from api.cli.frame import FILE, OK, REFUSED, Group, Number, Refused, Words, json_option
from api.cli.output import print_facts, print_json, print_line, say
from api.cli.vkeys import Keys
from api.roles import action
from api.settings import PREFIX, read_settings
from consent.base.clock import from_ms, system_clock, to_ms
from consent.base.counting import counted
from consent.ledger import cosignature
from consent.ledger.note import Verifier
from consent.witness import book, own_key

_TARGET: Final = "api.witness:app"
_VARIABLE: Final = f"{PREFIX}WITNESS_HOME"
_KEYRING: Final = "keyring.json"

_HOME = click.option(
    "--home", type=FILE, help="The witness's folder; BYLEAVE_WITNESS_HOME, else byleave-witness, where left out."
)


@click.group(cls=Group)
def witness() -> None:
    """The ledger's second memory: a process of its own, never restored with the ledger."""


def _folder(home: Path | None) -> Path:
    return read_settings().witness_home if home is None else home


@witness.command(example="byleave witness init --name witness.example/w1 --trust log.vkey")
@_HOME
@click.option("--name", type=Words("name"), required=True, help="What it signs as, like witness.example/w1.")
@click.option("--trust", "vkeys", type=Keys(), multiple=True, help="The verifier key of a log, or a file of it.")
@json_option
@action("witness.run")
def init(home: Path | None, name: str, vkeys: tuple[tuple[Verifier, ...], ...], *, as_json: bool) -> None:
    """Make a witness: its folder, its key, and an empty book.

    Keep the folder out of the ledger's, and out of its backups: it is there to remember what the ledger forgets.
    """
    folder = _folder(home)
    if "+" in name or " " in name:
        raise click.BadParameter("has neither spaces nor +", param_hint="--name")
    keys = [key for each in vkeys for key in each]
    if (folder / _KEYRING).exists() or (folder.absolute().parent / _KEYRING).exists():
        raise Refused(f"{folder} lies in the ledger's own folder, and would be restored with it: choose another")
    made = own_key.create(folder, name)
    with closing(book.create(folder)) as kept, kept.writing() as work:
        for key in keys:
            book.trust(work, key, at=to_ms(system_clock()) // 1000)
    vkey = cosignature.vkey(made.verifier)
    if as_json:
        print_json({"home": str(folder), "name": name, "vkey": vkey, "trusts": [book.family(key.name) for key in keys]})
        return
    print_facts({"home": folder, "name": name, "verifier key": vkey, "trusts": [book.family(key.name) for key in keys]})
    print_line("")
    where = "" if home is None else f" --home {shlex.quote(str(folder.absolute()))}"
    print_line(f"Start it with `byleave witness serve{where}`, and give the ledger's processes:")
    print_line("  BYLEAVE_WITNESS_URL=http://127.0.0.1:8300")
    print_line(f"  BYLEAVE_WITNESS_KEY={vkey}")


@witness.command(example="byleave witness trust log.vkey")
@click.argument("vkey", type=Keys())
@_HOME
@json_option
@action("witness.run")
def trust(vkey: tuple[Verifier, ...], home: Path | None, *, as_json: bool) -> None:
    """Trust the verifier key of a log, and of the logs that follow it; also a new one, after a rotation.

    VKEY is the key as `byleave ledger vkey` prints it, or a file of such lines.
    """
    with closing(book.open_book(_folder(home))) as kept, kept.writing() as work:
        added = [book.trust(work, key, at=to_ms(system_clock()) // 1000) for key in vkey]
    names = sorted({book.family(key.name) for key in vkey})
    if as_json:
        print_json({"trusts": names, "new": any(added)})
    else:
        print_line(f"{', '.join(names)} is trusted under this key{'' if any(added) else ', and was before'}.")


@witness.command(example="byleave witness show")
@_HOME
@json_option
@action("witness.run")
def show(home: Path | None, *, as_json: bool) -> int:
    """Show what the witness has seen. The exit code is 1 where a log contradicted itself: both notes are in --json."""
    folder = _folder(home)
    key = own_key.open_key(folder).verifier
    with closing(book.open_book(folder)) as kept, kept.reading() as work:
        seen, against, trusted = book.all_seen(work), book.contradictions(work), book.families(work)
    if as_json:
        print_json(
            {
                "name": key.name, "vkey": cosignature.vkey(key), "trusts": [name for name, _ in trusted],
                "logs": [
                    {"origin": one.origin, "size": one.size, "at": from_ms(one.at * 1000), "checkpoint": one.note}
                    for one in seen
                ],
                "contradictions": [
                    {**one._asdict(), "at": from_ms(one.at * 1000)} for one in against
                ],
            }
        )  # fmt: skip
    else:
        print_facts({"name": key.name, "verifier key": cosignature.vkey(key), "trusts": [name for name, _ in trusted]})
        for one in seen:
            print_line(f"{one.origin}: {counted(one.size, 'entry', 'entries')} cosigned")
        for two in against:
            print_line(f"{two.origin} contradicted itself: {two.why}")
    return REFUSED if against else OK


@witness.command(example="byleave witness serve --port 8300")
@_HOME
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=Number(1, 65_535), default=8300, show_default=True, help="The port to listen at.")
@action("witness.run")
def serve(home: Path | None, host: str, port: int) -> None:
    """Answer the ledger: cosign its checkpoints as long as each goes on from the one before."""
    folder = _folder(home)
    name = own_key.open_key(folder).name
    book.open_book(folder).close()
    os.environ[_VARIABLE] = str(folder.absolute())  # noqa: TID251 -- for the process of the server, which reads settings
    server = Granian(
        _TARGET, host, port, interface=Interfaces.WSGI, workers=1, blocking_threads=1, factory=True, websockets=False,
        respawn_failed_workers=True,
    )  # fmt: skip
    say(f"{name} answers at http://{host}:{port}, from {folder}")
    server.serve()
