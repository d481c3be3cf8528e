"""The Spark engine: each chunk of a run is a task, on as many machines as Spark has, against the one database.

A task does for the chunk of its number what a local process does for the next; what was done before is done, so Spark
may try a task again, or twice at once. Nothing but the run's id and numbers go to the executors: each opens the
deployment by its own settings, and shows that it holds the same keys. No other module needs `pyspark`, and none imports
this one: whoever wants it loads it by its name.
"""

import re
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final

from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException

from consent.base.errors import ByleaveError, EngineDown, Invalid, SettingsInvalid
from consent.base.ids import RunId
from consent.deployment import Deployment
from personalise.runs import run as runs
from personalise.runs.carrying import Carrier, Step
from personalise.runs.dry_run import CHUNK, Progress
from personalise.runs.processes import Opened
from personalise.runs.run import Noting, Run

_LOOK_SECONDS: Final = 0.5
_LOOK_AGAIN_SECONDS: Final = 0.2
_LOCAL: Final = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
}
"""What goes for Spark on this machine alone: nobody else can reach it."""

_FAILED: Final = re.compile(r"a chunk could not be decided: ([\w. <>]{1,200})")


class ChunkFailed(Exception):
    """A task gives its chunk up. Its text goes into Spark's logs: it says what failed, and no value that was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the executors are told of a run.

    `proof` is a keyed hash of the run's id: who has other keys has another.
    """

    run: RunId
    opened: Opened
    proof: bytes


def advance(
    deployment: Deployment,
    run: RunId,
    *,
    opened: Opened,
    master: str,
    progress: Progress | None = None,
    most: int = CHUNK,
    noting: Noting | None = None,
) -> Run:
    """Carry a run on by Spark until it is finished, paused or stopped, as `runs.advance` does in one process.

    Args:
        deployment: where it runs: on PostgreSQL.
        run: its id.
        opened: how each executor opens the deployment, by what it finds on its machine; a function of a module.
        master: Spark's master: `local[*,4]`, `spark://host:7077`, `yarn`, `k8s://…`.
        progress: called when more customers are done, with how many, and how many there were at the start.
        most: customers in a chunk.
        noting: called in the transaction in which it has come to its end.

    Raises:
        Invalid: the database is SQLite.
        SettingsInvalid: there is no Java, or no Spark at that master.
        EngineDown: Spark gave a chunk up; the others stay decided.
        RunUnknown, LedgerBroken: as `runs.advance` says.
    """
    require_shared(deployment)
    if numbers := runs.planned(deployment, run, most=most):
        with started(master) as context:
            decide(context, deployment, run, numbers, opened=opened, progress=progress)
    return runs.advance(deployment, run, progress=progress, most=most, noting=noting)


def require_shared(deployment: Deployment) -> None:
    """Require a database that many machines can write to.

    Raises:
        Invalid: it is SQLite.
    """
    if deployment.store.dialect != "postgresql":
        raise Invalid(
            "Spark needs PostgreSQL: SQLite is a file on one machine and lets one writer in at a time, so tasks could "
            "not share it"
        )


@contextmanager
def started(master: str) -> Iterator[SparkContext]:
    """Start Spark, and stop it when the block is left.

    Raises:
        SettingsInvalid: there is no Java, or no Spark at that master.
    """
    conf = SparkConf().setMaster(master).setAppName("byleave").set("spark.ui.showConsoleProgress", "false")
    local = master.startswith("local")
    for key, value in _LOCAL.items() if local else ():
        conf.set(key, value)
    try:
        context = SparkContext(conf=conf)
    except (PySparkException, Py4JError, OSError) as failed:
        why = "it needs Java 17 or newer: `java -version` has to answer, or JAVA_HOME to name its folder"
        raise SettingsInvalid(f"Spark could not be started at {master}; {why}") from failed
    try:
        context.setLogLevel("ERROR")
        if local:
            context.pythonExec = sys.executable  # else it takes whatever `python3` is on the path
        yield context
    finally:
        context.stop()


def decide(
    context: SparkContext,
    deployment: Deployment,
    run: RunId,
    numbers: Sequence[int],
    *,
    opened: Opened,
    progress: Progress | None = None,
) -> None:
    """Have Spark decide chunks of a run that are planned, a task each.

    Raises:
        EngineDown: it gave one up.
    """
    told = Told(run=run, opened=opened, proof=_proof(deployment, run))
    tasks = context.parallelize(list(numbers), len(numbers))
    with ThreadPoolExecutor(1) as threads:
        job = threads.submit(tasks.foreach, partial(_decide, told))
        try:
            _watch(deployment, run, job, progress)
        except BaseException:
            context.cancelAllJobs()
            raise
    try:
        job.result()
    except (PySparkException, Py4JError) as failed:
        said = _FAILED.search(str(failed))
        why = said[1] if said else "its log says why"
        raise EngineDown(f"Spark gave a chunk up ({why}); what it did is done, and the run can be carried on") from None


def _watch(deployment: Deployment, run: RunId, job: Any, progress: Progress | None) -> None:  # noqa: ANN401 -- a Future
    told = -1
    while wait([job], timeout=_LOOK_SECONDS).not_done:
        stands = runs.read(deployment, run) if progress else None
        if progress and stands and stands.done > told:
            told = stands.done
            progress(told, stands.total)


# ------------------------------------------------------------------------------------------------------------ in a task


def _decide(told: Told, number: int) -> None:
    """Decide one chunk, unless it is decided, or the run isn't running any more. Where somebody is at it, wait for him.

    Raises:
        ChunkFailed: it can't be.
    """
    try:
        carrier = _carrier(told)
        while (step := carrier.step(number)) in (Step.DECIDED, Step.ELSEWHERE):
            if step is Step.ELSEWHERE:
                time.sleep(_LOOK_AGAIN_SECONDS)
    except ByleaveError as failed:
        raise ChunkFailed(f"a chunk could not be decided: {failed.code}") from None
    except Exception as failed:  # noqa: BLE001 -- raised again, without the values that its text may hold
        place = traceback.extract_tb(failed.__traceback__)[-1]
        what = f"{type(failed).__name__} in {place.name} line {place.lineno}"
        raise ChunkFailed(f"a chunk could not be decided: {what}") from None


@lru_cache(maxsize=1)
def _carrier(told: Told) -> Carrier:
    """Open the deployment, once for all tasks of a run that this process does.

    Raises:
        SettingsInvalid: it is another one, or has other keys.
    """
    deployment = told.opened()
    if _proof(deployment, told.run) != told.proof:
        raise SettingsInvalid("the settings of this executor lead to other keys than those of whoever started the run")
    return Carrier(deployment=deployment, run=told.run)


def _proof(deployment: Deployment, run: RunId) -> bytes:
    return deployment.desk.blinded("spark", run)
