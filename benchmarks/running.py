"""One run in a process of its own, whose memory is that of the run: prints what it took as JSON."""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.ledgers import NOW
from consent.deployment import open_deployment
from personalise.runs import run


class Took(NamedTuple):
    """What a run took: seconds, and its process's peak of memory in megabytes."""

    seconds: float
    megabytes: float
    customers: int
    chosen: int


def peak() -> float:
    """Return this program's peak of memory in megabytes; `getrusage` counts what it was forked from as well."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 1024


def carried_out(url: str, keyring: Path) -> Took:
    """Run the campaign over everybody."""
    deployment = open_deployment(database_url=url, keyring=keyring, clock=lambda: NOW)
    began = time.perf_counter()
    with deployment.store.write() as work:
        opened = run.opened(deployment, work, "c", actor="benchmark", at=NOW)
    finished = run.advance(deployment, opened)
    seconds = time.perf_counter() - began
    deployment.store.close()
    return Took(seconds, peak(), finished.counts.customers, sum(finished.counts.chosen.values()))


if __name__ == "__main__":
    print(json.dumps(carried_out(sys.argv[1], Path(sys.argv[2]))._asdict()))
