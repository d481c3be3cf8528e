"""The engines that carry runs on: processes of this machine, or Spark."""

import importlib
import os
from functools import partial
from typing import Any, Final

from api.settings import Settings, read_settings
from api.wiring import House, open_house
from consent.base.errors import Invalid, SettingsInvalid
from consent.deployment import Deployment
from personalise.runs import processes
from personalise.runs.run import Engine

LOCAL: Final = "local"
SPARK: Final = "spark"
ENGINES: Final = (LOCAL, SPARK)


def engine(house: House, *, name: str | None = None, count: int | None = None) -> Engine:
    """Return what carries runs on.

    Args:
        house: with its settings.
        name: `local` or `spark`; None for what the settings say.
        count: in how many processes of this machine; None for what the settings say.

    Raises:
        Invalid: Spark or several processes on SQLite, or a number of processes with Spark.
        SettingsInvalid: Spark is not installed.
    """
    settings = house.settings
    if (name or settings.run_engine) == SPARK:
        if count:
            raise Invalid("--processes belongs to the local engine: Spark decides itself how many tasks go at once")
        spark = _spark()
        spark.require_shared(house.deployment)
        return partial(spark.advance, opened=opened_here, master=settings.spark_master)
    among = count or settings.run_processes or processes.usual(house.deployment, os.cpu_count() or 1)
    processes.require_writers(house.deployment, among)
    return partial(processes.advance, opened=partial(opened, settings), processes=among)


def opened(settings: Settings) -> Deployment:
    """Open the deployment that settings name, in a process of its own."""
    return open_house(settings).deployment


def opened_here() -> Deployment:
    """Open the deployment that the settings of this machine name: an executor is sent none."""
    return opened(read_settings())


def _spark() -> Any:  # noqa: ANN401 -- a module that is there only with what it needs
    """Load the Spark engine by its name: what it needs is installed by choice.

    Raises:
        SettingsInvalid: it is not.
    """
    try:
        return importlib.import_module("personalise.runs.spark")
    except ModuleNotFoundError as missing:
        if str(missing.name).partition(".")[0] not in ("pyspark", "py4j"):
            raise
        raise SettingsInvalid(
            "the engine `spark` needs pyspark, which is installed by choice: pip install 'byleave[spark]'"
        ) from None
