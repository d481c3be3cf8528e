"""The engines that carry runs on: several processes of this machine, or Spark."""

import os
from functools import partial

from api.settings import Settings
from api.wiring import House, open_house
from consent.deployment import Deployment
from personalise.runs import processes
from personalise.runs.run import Engine


def engine(house: House, *, count: int | None = None) -> Engine:
    """Return what carries runs on.

    Args:
        house: with its settings, which every process reads the deployment from.
        count: in how many processes; None for what the settings say.
    """
    among = count or house.settings.run_processes or processes.usual(house.deployment, os.cpu_count() or 1)
    return partial(processes.advance, opened=partial(opened, house.settings), processes=among)


def opened(settings: Settings) -> Deployment:
    """Open the deployment that the settings name, in a process of its own."""
    return open_house(settings).deployment
