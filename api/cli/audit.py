"""`byleave audit`."""

import click

from api.cli.frame import Group


@click.group(cls=Group)
def audit() -> None:
    """Find out whether every use was allowed."""
