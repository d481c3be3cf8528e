"""A process that appends statements from several threads, and says of each, once it is committed, where it stands.

Run as `python -m tests.faults.appending`, by tests that watch many such processes or kill one of them.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

from consent.base.clock import parse_time
from consent.base.errors import Unavailable
from consent.base.ids import CustomerId
from consent.deployment import Deployment, open_deployment
from consent.register import recording
from tests.builders import statement

SCOPES = (
    "remember:purchases",
    "use:purchases:recommendations",
    "remember:interests",
    "use:interests:recommendations",
    "contact:email:recommendations",
    "contact:post:newsletter",
    "use:responses:measurement",
)
ACTS = ("grant", "withdraw", "grant", "object", "refuse")


def append(deployment: Deployment, key: str, number: int, customers: list[CustomerId]) -> int:
    """Append one statement under an idempotency key, again until it is acknowledged; return its position."""
    act, scope = ACTS[number % len(ACTS)], SCOPES[number % len(SCOPES)]
    act = "object" if scope.startswith("use:responses") else act
    said = statement(customers[number % len(customers)], act, scope, said_at=deployment.clock())
    while True:
        try:
            with deployment.store.write() as work:
                [recorded] = recording.record(
                    deployment.desk, work, [said], actor="appender", at=deployment.clock(), idempotency_key=key
                )
        except Unavailable:
            continue  # locked for too long: the same key again
        return recorded.seq


def main(url: str, keyring: str, at: str, name: str, threads: str, each: str, *customers: str) -> None:
    """Append `each` statements from each thread (0: without end)."""
    moment = parse_time(at)
    deployment = open_deployment(database_url=url, keyring=Path(keyring), clock=lambda: moment)
    people = [CustomerId(customer) for customer in customers]

    def work(thread: int) -> None:
        for number in range(int(each)) if int(each) else count():
            key = f"{name}-{thread}-{number}"
            seq = append(deployment, key, number + thread, people)
            sys.stdout.write(f"{key} {seq}\n")  # one write: lines of two threads never mix
            sys.stdout.flush()

    with ThreadPoolExecutor(int(threads)) as pool:
        for done in [pool.submit(work, thread) for thread in range(int(threads))]:
            done.result()
    deployment.store.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
