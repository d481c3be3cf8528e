"""Claims 3, 5 and 11: check, append and decide over HTTP against a bare "hello" of the same server.

Limit: a Flask application that answers one JSON object, served by granian with as many processes and threads as the
product is. Ours: `byleave serve` as it is started, with an API key, JSON checked, answered only when it is durable.
Many connections at once, each sending its next request when it has its answer; the client is this process, and takes
its share of the processor from both sides alike.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ledgers import grant, scratch
from benchmarks.ratio import Line, percentile, show
from consent import gate
from consent.base.ids import CustomerId, Scope
from consent.deployment import Deployment, open_deployment
from consent.register import customers, recording

ROOT = Path(__file__).parent.parent
CUSTOMERS = 2_000
SECONDS = 1.5
CONNECTIONS = (16, 64)
SCOPE = "use:purchases:recommendations"
CHECKS = 100
"""Checks in one call, where many are asked at once."""

PACE = 200
"""Decisions asked for in a second, where it is measured how long one takes."""

CAMPAIGN = ROOT / "personalise" / "shop" / "files" / "campaign.toml"
FACTS: dict[str, str | int | float] = {
    "months_since_purchase": 3, "spend_past_year": 120.0, "purchases_count": 4, "main_interest": "garden",
    "last_purchase_category": "cooking",
}  # fmt: skip

Request = Callable[[], bytes]


@dataclass
class Answered:
    """What came of one side: answers a second, and how long each took, over all rounds."""

    rates: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second: the median of the rounds."""
        return median(self.rates)

    def ms(self, share: float) -> float:
        """Return how long such a share of the answers took at most, in milliseconds."""
        return 1000 * percentile(self.took, share)


def post(path: str, body: object, *, key: str = "", idempotency: str = "") -> bytes:
    """Return a request as it goes over the wire."""
    said = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(said)}",
    ]
    lines += [f"Authorization: Bearer {key}"] * bool(key) + [f"Idempotency-Key: {idempotency}"] * bool(idempotency)
    return "\r\n".join([*lines, "", ""]).encode() + said


async def _one(port: int, request: Request, due: Iterator[float], expected: bytes, answered: Answered) -> int:
    """Ask whenever the next request is due, counting from then on, also while it waits for an answer to the last."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    done = 0
    for when in due:
        await asyncio.sleep(max(0.0, when - time.perf_counter()))
        writer.write(request())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        answered.took.append(time.perf_counter() - when)
        if not head.startswith(b"HTTP/1.1 " + expected):
            raise SystemExit(f"{head.decode()}{body.decode()}")
        done += 1
    writer.close()
    await writer.wait_closed()
    return done


def _due(ends: float, pace: float) -> Iterator[float]:
    """Yield when requests are due until an end: at once, or at random, so many a second (a Poisson process)."""
    when, gaps = time.perf_counter(), random.Random(PACE)  # noqa: S311 -- a load, not a secret
    while when < ends:
        yield when
        when = when + gaps.expovariate(pace) if pace else time.perf_counter()


def load(
    port: int, request: Request, *, connections: int, expected: bytes, answered: Answered, pace: float = 0
) -> None:
    """Ask on so many connections for a while (`pace` times a second, 0: all they can), and add what came of it."""

    async def all_of_them() -> int:
        ends = time.perf_counter() + SECONDS
        alike = _due(ends, pace)
        asking = (_one(port, request, alike if pace else _due(ends, 0), expected, answered) for _ in range(connections))
        return sum(await asyncio.gather(*asking))

    began = time.perf_counter()
    done = asyncio.run(all_of_them())
    answered.rates.append(done / (time.perf_counter() - began))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def _running(command: Sequence[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    process = subprocess.Popen(
        command, cwd=ROOT, env=_with(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _with(environment: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **environment}  # noqa: TID251 -- not a setting of ours: what other processes are started with


def _byleave(home: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *arguments, "--json"],
        cwd=ROOT, env=_with({"BYLEAVE_HOME": str(home)}), check=True, capture_output=True, text=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def servers(stack: ExitStack, home: Path, workers: int, threads: int) -> tuple[int, int]:
    """Start the product and the bare server, alike, and return their ports."""
    ours, hello = _free_port(), _free_port()
    alike = ["--workers", str(workers)]
    stack.enter_context(
        _running(
            [sys.executable, "-m", "api.cli", "serve", "--port", str(ours), *alike, "--threads", str(threads)],
            ours,
            {
                "BYLEAVE_HOME": str(home),
                "BYLEAVE_BASE_URL": f"http://127.0.0.1:{ours}",
                "BYLEAVE_RATE_PER_KEY": "60000000",  # it counts, and never refuses
            },
        )
    )
    stack.enter_context(
        _running(
            [
                sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(hello), *alike,
                "--blocking-threads", str(threads), "--factory", "benchmarks.hello:app",
            ],
            hello,
            {},
        )
    )  # fmt: skip
    return ours, hello


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What the client sends: each request is of the next customer, and no statement comes twice."""

    people: Sequence[CustomerId]
    key: str
    number: Iterator[int] = field(default_factory=count)

    def hello(self) -> bytes:
        """Greet."""
        return post("/hello", {"hello": "you"})

    def check(self, many: int = 1) -> bytes:
        """Check one scope of so many customers."""
        asked = [{"customer": self._next(), "scope": SCOPE} for _ in range(many)]
        return post("/api/v1/permissions:check", {"checks": asked}, key=self.key)

    def checks(self) -> bytes:
        """Check a hundred in one call."""
        return self.check(CHECKS)

    def append(self) -> bytes:
        """Record one statement."""
        spot = next(self.number)
        act = "withdraw" if spot // len(self.people) % 2 else "grant"
        said = {"customer": self.people[spot % len(self.people)], "act": act, "method": "web_form", "scopes": [SCOPE]}
        return post("/api/v1/statements", said, key=self.key, idempotency=f"k{spot}")

    def decide(self) -> bytes:
        """Decide for one customer."""
        spot = next(self.number)
        asked = {"customer": self.people[spot % len(self.people)], "campaign": "spring"}
        return post("/api/v1/decisions", asked, key=self.key, idempotency=f"d{spot}")

    def paced(self) -> bytes:
        """Decide for one customer, not faster than asked for."""
        return self.decide()

    def _next(self) -> CustomerId:
        return self.people[next(self.number) % len(self.people)]


def founded(home: Path) -> Asking:
    """Found a deployment with customers and an API key, the way a new user does."""
    _byleave(home, "init", "--name", "bench.example")
    key = _byleave(home, "key", "create", "bench", "--scope", "consent:read", "--scope", "consent:write",
                   "--scope", "decisions:write")["key"]  # fmt: skip
    _byleave(home, "campaign", "publish", str(CAMPAIGN))
    deployment = open_deployment(database_url=f"sqlite:///{home / 'byleave.db'}", keyring=home / "keyring.json")
    references = [{"reference": f"C{number}"} for number in range(CUSTOMERS)]
    with deployment.store.write() as work:
        people = customers.enrol(deployment.desk, work, references, at=deployment.clock())
    _willing(deployment, people)
    deployment.store.close()
    return Asking(people=people, key=key)


def _willing(deployment: Deployment, people: Sequence[CustomerId]) -> None:
    """Let everybody allow what the campaign needs, and remember what it reads."""
    at = deployment.clock()
    with deployment.store.write() as work:
        catalogue = deployment.desk.catalogues.current(work)
        needed = [Scope(scope) for scope in catalogue.scopes if scope.endswith(":recommendations")]
        needed += [Scope(f"remember:{kind}") for kind in ("purchases", "interests")]
        said = [grant(customer, needed, said_at=at) for customer in people]
        recording.record(deployment.desk, work, said, actor="benchmark", at=at)
    with deployment.store.write() as work:
        facts: dict[str, list[str | int | float | bool | None]] = {
            name: [value] * len(people) for name, value in FACTS.items()
        }
        gate.remember_columns(deployment.desk, work, people, facts, at=at)


def _line(claim: str, unit: str, ours: Answered, limit: Answered, *, each: int = 1, **goals: Any) -> Line:  # noqa: ANN401 -- the fields of `Line`
    shares = [each * mine / bare for mine, bare in zip(ours.rates, limit.rates, strict=True)]
    figures = {"p50, ms": ours.ms(0.5), "p99, ms": ours.ms(0.99), "p99 of hello, ms": limit.ms(0.99)}
    return Line(
        claim=claim, unit=unit, ours=each * ours.rate, limit=limit.rate, of_limit=median(shares),
        figures=figures, **goals,
    )  # fmt: skip


def lines(found: Mapping[tuple[str, int], Answered]) -> Iterator[Line]:
    """Hold what was measured against the goals."""
    hello = found["hello", 16]
    yield _line("3 check over HTTP, 16 connections", "checks", found["check", 16], hello, goal=0.65)
    many = found["checks", 16]
    single = CHECKS * many.rate / found["check", 16].rate
    yield Line(
        claim=f"3 {CHECKS} checks a call, 16 connections", unit="checks", ours=CHECKS * many.rate,
        limit=found["check", 16].rate, of_limit=single, goal=30, figures={"p99, ms": many.ms(0.99)},
    )  # fmt: skip
    for connections in CONNECTIONS:
        bare, ours = found["hello", connections], found["append", connections]
        claim = f"5 append over HTTP, {connections} connections"
        yield _line(claim, "statements", ours, bare, goal=0.3, at_most={"p99, ms": 20})
    for connections in CONNECTIONS:
        claim = f"11 decide over HTTP, contact reserved, {connections} connections"
        yield _line(claim, "decisions", found["decide", connections], found["hello", connections], goal=0.1)
    paced = found["paced", 64]
    yield Line(
        claim=f"11 decide over HTTP, {PACE} a second at random times", unit="decisions", ours=paced.rate,
        figures={"p50, ms": paced.ms(0.5), "p99, ms": paced.ms(0.99)}, at_most={"p99, ms": 50},
    )  # fmt: skip


def main() -> None:
    """Measure and print the lines."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--rounds", type=int, default=5)
    given.add_argument("--workers", type=int, default=2)
    given.add_argument("--threads", type=int, default=16)
    given.add_argument("--json", action="store_true")
    asked = given.parse_args()
    found: dict[tuple[str, int], Answered] = {}
    with scratch() as folder, ExitStack() as stack:
        asking = founded(folder / "home")
        ours, hello = servers(stack, folder / "home", asked.workers, asked.threads)
        plan = [(hello, asking.hello, each, b"200") for each in CONNECTIONS]
        plan += [(ours, asking.append, each, b"201") for each in CONNECTIONS]
        plan += [(ours, asking.check, 16, b"200"), (ours, asking.checks, 16, b"200")]
        plan += [(ours, asking.decide, each, b"200") for each in CONNECTIONS]
        plan += [(ours, asking.paced, 64, b"200")]
        for turn in range(asked.rounds + 1):
            for port, request, connections, expected in plan:
                answered = found.setdefault((request.__name__, connections), Answered()) if turn else Answered()
                pace = PACE if request == asking.paced else 0
                load(port, request, connections=connections, expected=expected, answered=answered, pace=pace)
    for line in lines(found):
        show(line)


if __name__ == "__main__":
    main()
