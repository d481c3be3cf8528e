"""One import in a process of its own, whose memory is that of the import: prints what it took as JSON."""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.ledgers import NOW
from benchmarks.running import peak
from consent.deployment import open_deployment
from consent.imports.customers import bring_in_customers
from consent.imports.mapping import read_mapping
from consent.imports.passes import Options
from consent.imports.statements import bring_in_statements


class Took(NamedTuple):
    """What an import took: seconds (of the clock, and of the processor), and its process's peak memory in megabytes."""

    seconds: float
    processor: float
    megabytes: float
    rows: int
    new: int


def brought_in(url: str, folder: Path, what: str) -> Took:
    """Bring in `what`.csv by the mapping beside it. The clock goes on: ids sort by the time they were made."""
    opened, first = time.monotonic(), NOW + timedelta(days=what != "statements")
    deployment = open_deployment(
        database_url=url,
        keyring=folder / "keyring.json",
        clock=lambda: first + timedelta(milliseconds=int((time.monotonic() - opened) * 1_000)),
    )
    with deployment.store.read() as work:
        mapping = read_mapping(folder / f"{what}.toml", deployment.desk.catalogues.current(work))
    began, processor = time.perf_counter(), time.process_time()
    bring_in = bring_in_statements if what == "statements" else bring_in_customers
    made = bring_in(deployment, folder / f"{what}.csv", mapping, Options(actor="benchmark"))
    took = time.perf_counter() - began, time.process_time() - processor
    deployment.store.close()
    return Took(*took, peak(), made.rows, made.new)


if __name__ == "__main__":
    print(json.dumps(brought_in(sys.argv[1], Path(sys.argv[2]), sys.argv[3])._asdict()))
