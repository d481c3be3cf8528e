"""A run on Spark leaves behind what it does in one process, whatever Spark does to its tasks. `make spark` runs these.

Spark is started once: two tasks at once, three tries each, as `local[2,3]` says.
"""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil
import pytest

from api.settings import read_settings
from api.wiring import open_house
from consent.base.errors import EngineDown, Invalid
from consent.deployment import new_keyring
from personalise.runs import run
from personalise.runs.run import PAUSED, RUNNING
from tests import reference
from tests.advancing import opened
from tests.campaigns import chunks, decisions, publish
from tests.faces.cli.conftest import CUSTOMERS, make_shop
from tests.faults.test_processes import MANY, SMALL, begun, in_processes, left_behind, shop, wait_for, whole

spark = pytest.importorskip(
    "personalise.runs.spark", reason="runs on Spark are tested by `make spark`", exc_type=ImportError
)
pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def context():
    with spark.started("local[2,3]") as made:
        yield made


@pytest.fixture
def world(postgresql_world):
    return shop(postgresql_world)


def in_spark(context, world, identity, numbers=None, **more):
    """Decide the chunks of a run by Spark, and end it here."""
    numbers = numbers or run.planned(world.deployment, identity, most=SMALL)
    apart = partial(opened, world.url, world.keyring)
    spark.decide(context, world.deployment, identity, numbers, opened=apart, **more)
    return run.advance(world.deployment, identity)


def workers(context):
    """Return the processes in which Spark runs Python: the children of its daemon."""
    below = psutil.Process(context._gateway.proc.pid).children(recursive=True)
    daemons = {each.pid for each in below if "pyspark.daemon" in " ".join(each.cmdline())}
    return [each for each in below if each.ppid() in daemons]


def test_a_run_on_spark_decides_as_one_process_does_bit_for_bit(context, world, twins):
    alone = whole(twins(world))
    identity, told = begun(world), []
    ended = in_spark(context, world, identity, progress=lambda *so_far: told.append(so_far))

    assert ended.state == "finished"
    assert left_behind(world, identity) == alone
    assert told == sorted(set(told))
    world.check_ledger()


def test_what_spark_tries_twice_at_once_is_done_once(context, world, twins):
    alone = whole(twins(world))
    identity = begun(world)
    numbers = run.planned(world.deployment, identity, most=SMALL)
    in_spark(context, world, identity, [each for number in numbers for each in (number, number)])

    assert left_behind(world, identity) == alone
    assert sorted(chunk.number for chunk in chunks(world, identity)) == numbers
    world.check_ledger()


def test_a_task_whose_process_is_killed_is_tried_again(context, world, twins):
    alone = whole(twins(world))
    identity = begun(world)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(in_spark, context, world, identity)
        wait_for(world, identity, SMALL)
        victims = workers(context)
        for each in victims:
            each.kill()
        assert ended.result().state == "finished"

    assert victims != []
    assert left_behind(world, identity) == alone
    world.check_ledger()


def test_nothing_is_decided_after_a_pause_and_another_engine_goes_on(context, world, twins):
    alone = whole(twins(world))
    identity = begun(world)
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(in_spark, context, world, identity)
        wait_for(world, identity, SMALL)
        paused = run.change(world.deployment, identity, PAUSED)
        assert ended.result().state == PAUSED

    assert len(decisions(world, identity)) == paused.done < MANY
    run.change(world.deployment, identity, RUNNING)
    in_processes(world, identity, 2)
    assert left_behind(world, identity) == alone
    world.check_ledger()


def test_an_executor_with_other_keys_decides_nothing(context, world, tmp_path):
    identity = begun(world)
    new_keyring(tmp_path / "other.json")
    numbers = run.planned(world.deployment, identity, most=2 * MANY)
    apart = partial(opened, world.url, tmp_path / "other.json")
    with pytest.raises(EngineDown, match="settings_invalid"):
        spark.decide(context, world.deployment, identity, numbers, opened=apart)

    assert decisions(world, identity) == {}
    assert run.read(world.deployment, identity).state == RUNNING


def test_a_run_on_sqlite_is_refused_with_the_reason(sqlite_world):
    publish(sqlite_world)
    apart = partial(opened, sqlite_world.url, sqlite_world.keyring)
    with pytest.raises(Invalid, match="Spark needs PostgreSQL: SQLite is a file on one machine"):
        spark.advance(sqlite_world.deployment, begun(sqlite_world), opened=apart, master="local[1]")


# ------------------------------------------------------------------------------------------------ from the command line


@pytest.fixture
def settings(databases, tmp_path, monkeypatch):
    """Return settings in a file, as the machines of a cluster find them; the deployment is a made-up shop's."""
    url = databases("postgresql").empty("spark_shop")
    file = tmp_path / "byleave.toml"
    file.write_text(f'database_url = "{url}"\nhome = "{tmp_path}"\nfour_eyes = false\nspark_master = "local[2,4]"\n')
    monkeypatch.setenv("BYLEAVE_CONFIG", str(file))
    make_shop(tmp_path)
    yield read_settings()
    databases("postgresql").dropped(url)


def command(**environment):
    return subprocess.run(
        [sys.executable, "-m", "api.cli", "campaign", "run", "spring", "--engine", "spark", "--json"],
        env={**os.environ, **environment},  # noqa: TID251 -- Java is found by it
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip


def test_a_campaign_runs_on_spark_by_the_settings_that_executors_find(settings):
    ended = command()

    assert (ended.returncode, json.loads(ended.stdout)["customers"]) == (0, CUSTOMERS)
    assert settings.database_url not in ended.stdout + ended.stderr
    house = open_house(settings)
    with house.deployment.store.read() as work:
        assert reference.faults(work.connection, settings.keyring) == []
    house.close()


@pytest.mark.usefixtures("settings")
def test_without_java_spark_is_refused_with_what_it_needs(tmp_path):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "env"):  # what Spark's own script is made of
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or "")
    ended = command(PATH=str(tmp_path / "bin"), JAVA_HOME="")

    assert (ended.returncode, "needs Java 17 or newer" in ended.stderr) == (2, True)
