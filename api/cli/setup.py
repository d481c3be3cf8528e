"""`byleave init`: found a deployment."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from api import founding
from api.cli.frame import FILE, Command, Words, caller, json_option
from api.cli.output import print_facts, print_json, print_line
from api.roles import action
from api.settings import read_settings
from consent.catalogue.reading import DEFAULT
from consent.ledger import log
from consent.ledger.entry import ORIGIN
from consent.register import proving

_NEXT: Final = """
Keep the verifier key somewhere else than here: with it everybody can verify the ledger, and see that it was changed.
The keyring opens everything that is sealed: back it up, apart from the database.

What next:
  byleave catalogue show                     what customers may be asked
  byleave import statements FILE --mapping MAPPING
  byleave user invite NAME --role marketer   a link to sign in with
  byleave serve --with-worker                pages and API"""


@click.command(cls=Command, example="byleave init --name shop.example")
@click.option("--name", type=Words("host"), help="The host name that the ledger is called by, for ever.")
@click.option("--catalogue", type=FILE, default=DEFAULT, help="What customers may be asked; a shop's, where left out.")
@json_option
@action("house.found")
def init(name: str | None, catalogue: Path, *, as_json: bool) -> None:
    """Found a deployment: folder, keyring, database, ledger, catalogue. One that was cut off can be run again."""
    settings = read_settings()
    if name:
        settings = replace(settings, name=_host(name))
    house = founding.found(settings, catalogue=catalogue, actor=caller().name)
    try:
        deployment = house.deployment
        with deployment.store.read() as work:
            origin = log.head(work).origin
            vkey = proving.verifier_key(deployment.desk, work)
            version = deployment.desk.catalogues.current(work).version
    finally:
        house.close()
    answer = {"home": str(settings.home), "log": origin, "vkey": vkey, "catalogue": version}
    if as_json:
        print_json(answer)
        return
    print_facts({"home": settings.home, "ledger": origin, "verifier key": vkey, "catalogue": f"version {version}"})
    for line in _NEXT.splitlines():
        print_line(line)


def _host(name: str) -> str:
    if "/" in name or not ORIGIN.fullmatch(f"{name}/consent/2026h2"):
        raise click.BadParameter("must be a host name in small letters, like shop.example", param_hint="--name")
    return name
