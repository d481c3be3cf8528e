"""A disk that reports errors while statements are appended, and what the product says and does.

Run as `python -m tests.faults.failing`, by a test: prints one JSON object a step. The disk is at fault, then it is well
again.
"""

import json
import sys
from pathlib import Path

from consent import gate
from consent.base.clock import parse_time
from consent.base.errors import ByleaveError
from consent.base.ids import CustomerId
from consent.deployment import open_deployment
from consent.register import recording
from tests import reference
from tests.builders import statement
from tests.faults.disk import Disk, Fault

SCOPE = "use:purchases:recommendations"


def main(url: str, keyring: str, at: str, customer: str, fault: Fault) -> None:
    """Append, let the disk fail at each operation in turn, append again; say what came of it each time."""
    disk, moment, who = Disk(), parse_time(at), CustomerId(customer)
    deployment = open_deployment(database_url=url, keyring=Path(keyring), clock=lambda: moment)
    store, desk = deployment.store, deployment.desk

    def append() -> str:
        said = statement(who, "grant", SCOPE, said_at=moment)
        try:
            with store.write() as work:
                recording.record(desk, work, [said], actor="appender", at=moment)
        except ByleaveError as refused:
            return f"{refused.code}: {refused.detail}"
        return "appended"

    def seen() -> dict[str, object]:
        with store.live() as work:
            permitted = gate.check(desk, work, who, SCOPE, at=moment).reason.name
        with store.engines.read.connect() as connection:
            [(size,)] = reference.rows(connection, "SELECT size FROM ledger_head")
            return {"size": size, "reason": permitted, "faults": reference.faults(connection, Path(keyring))}

    append()
    disk.arm(0, fault)
    append()
    for operation in range(1, disk.operations + 1):
        disk.arm(operation, fault)
        failed = append()
        while_failing = seen()
        disk.disarm()
        then = append()
        step = {"operation": operation, "failed": failed, "meanwhile": while_failing, "then": then, **seen()}
        sys.stdout.write(json.dumps(step) + "\n")
        sys.stdout.flush()
    store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the test names a fault
