"""Append one statement again and again, and cut the power at every operation of the disk, and after the last.

Run as `python -m tests.faults.cutting`, by a test: prints one JSON object a cut, `operation` to `faults` as found when
the database was opened again.
"""

import json
import os
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from consent.base.clock import parse_time
from consent.base.ids import CustomerId
from consent.deployment import Deployment, open_deployment
from consent.register import recording
from tests import reference
from tests.builders import statement
from tests.faults.disk import Disk, Fault

KEY = "the only one"


@dataclass
class Cutting:
    """One database, cut off again and again: each time a fresh copy of the same file."""

    disk: Disk
    template: Path
    keyring: Path
    moment: datetime
    customer: CustomerId
    fault: Fault

    @property
    def file(self) -> Path:
        return self.template.with_suffix(".cut")

    @property
    def acknowledged(self) -> Path:
        return self.template.with_suffix(".acknowledged")

    def opened(self) -> Deployment:
        return open_deployment(database_url=f"sqlite:///{self.file}", keyring=self.keyring, clock=lambda: self.moment)

    def append(self, deployment: Deployment) -> int:
        """Append the statement and return its position."""
        said = statement(self.customer, "grant", "use:purchases:recommendations", said_at=self.moment)
        with deployment.store.write() as work:
            [recorded] = recording.record(
                deployment.desk, work, [said], actor="appender", at=self.moment, idempotency_key=KEY
            )
        return recorded.seq

    def cut(self, operation: int) -> int:
        """Cut the power at an operation of an append, or behind the last, and return how the process ended."""
        for ending in ("", "-journal", "-wal", "-shm"):
            self.file.with_name(self.file.name + ending).unlink(missing_ok=True)
        shutil.copy(self.template, self.file)
        child = os.fork()
        if not child:
            try:
                deployment = self.opened()
                deployment.store.engines.write.connect().close()  # its pragmas are no part of the append
                self.disk.arm(operation, self.fault)
                self.append(deployment)
                self.acknowledged.touch()
                self.disk.cut()
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        return status

    def found(self) -> dict[str, object]:
        """Open what is left, look at it, append the same again, and look once more."""
        deployment = self.opened()
        size, faults = self._looked(deployment)
        seq = self.append(deployment)
        after, more = self._looked(deployment)
        deployment.store.close()
        return {"size": size, "then": after, "seq": seq, "faults": faults + more}

    def _looked(self, deployment: Deployment) -> tuple[int, list[str]]:
        with deployment.store.engines.read.connect() as connection:
            [(size,)] = reference.rows(connection, "SELECT size FROM ledger_head")
            [(intact,)] = connection.execute(sa.text("PRAGMA integrity_check")).fetchall()
            return size, [*reference.faults(connection, self.keyring), *([] if intact == "ok" else [intact])]


def main(template: str, keyring: str, at: str, customer: str, fault: Fault) -> None:
    """Cut the power at the first operation, the second, and so on, until an append needs no more of them."""
    cutting = Cutting(Disk(), Path(template), Path(keyring), parse_time(at), CustomerId(customer), fault)
    operation = 0
    while not cutting.acknowledged.exists():
        operation += 1
        status = cutting.cut(operation)
        seen = {"operation": operation, "status": status, "acknowledged": cutting.acknowledged.exists()}
        sys.stdout.write(json.dumps({**seen, **cutting.found()}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])  # type: ignore[arg-type]  # the test names a fault
