"""What a process of its own does in the test of killed audits: it runs one, and kills itself on its way."""

import sys
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from api.checks import CHECKS
from consent.audit import judging, life, marks, pages, run
from consent.audit.checks import ledger, memory, standing
from consent.base import store
from consent.deployment import open_deployment
from consent.register import publishing, reopening
from tests.builders import START
from tests.faults.stepping import killing

AUDITING = (run, judging, pages, marks, life, ledger, standing, memory, publishing, reopening, store)


def audit(url: str, keyring: Path, step: int, incremental: bool, ready: Connection) -> None:  # noqa: FBT001 -- goes to another process by its place
    """Run every check; killed at a step."""
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: START)
    with closing(deployment.store):
        ready.send("ready")
        sys.settrace(killing(AUDITING, step))
        run.run(deployment, CHECKS, asked_by="cy", incremental=incremental)
        sys.settrace(None)
