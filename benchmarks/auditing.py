"""A full audit in a process of its own: what it says, what it takes, and how much memory.

SQLite's page cache is held small: it fills with whatever is read, up to 64 MB, and would hide what the audit takes.
"""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import sqlalchemy as sa

from api.checks import CHECKS
from benchmarks.ledgers import NOW
from benchmarks.running import peak
from consent.audit.run import run
from consent.deployment import open_deployment


@dataclass(frozen=True, kw_only=True)
class Audited:
    """How an audit went."""

    status: str
    seconds: float
    megabytes: float


def main() -> None:
    """Audit the deployment that the command line names, and print what it took."""
    url, keyring = sys.argv[1:3]
    deployment = open_deployment(database_url=url, keyring=Path(keyring), clock=lambda: NOW)
    if deployment.store.dialect == "sqlite":
        for engine in deployment.store.engines:
            sa.event.listen(engine, "connect", lambda driver, _: driver.execute("PRAGMA cache_size=-2000"))
    began = time.perf_counter()
    report = run(deployment, CHECKS, asked_by="benchmark")
    seconds = time.perf_counter() - began
    for finding in report.all_findings[:5]:
        print(finding, file=sys.stderr)
    for gap in report.all_gaps[:5]:
        print(gap, file=sys.stderr)
    print(json.dumps(asdict(Audited(status=str(report.status), seconds=seconds, megabytes=peak()))))


if __name__ == "__main__":
    main()
