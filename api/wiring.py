"""The house: settings made into a deployment, once a process, for every face alike."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from flask import current_app

from api.settings import Settings
from consent.base.clock import Clock, system_clock
from consent.deployment import Deployment, open_deployment
from consent.register.gathering import Gathering

EXTENSION: Final = "byleave"
"""Under which name a Flask application keeps its house."""

HEARTBEAT: Final = "worker.heartbeat"
"""Under which job a worker leaves its sign of life, and every face looks for it."""

ASKED_AUDIT: Final = "audit.asked"
"""Under which job an audit is queued that somebody asked for and that is too large to wait for."""


@dataclass(frozen=True, kw_only=True)
class House:
    """What every face is called with."""

    settings: Settings
    deployment: Deployment
    # What personalise needs beside the deployment goes here, and is opened in `open_house`.

    @cached_property
    def gathering(self) -> Gathering:
        """The way into the ledger for requests that come at the same time."""
        return Gathering(self.deployment.store, self.deployment.desk)

    def close(self) -> None:
        """Close all connections. A process that ends needn't."""
        self.deployment.store.close()


def open_house(settings: Settings, *, clock: Clock = system_clock) -> House:
    """Open the deployment that the settings name; nothing connects before the first use.

    Raises:
        SettingsInvalid: the keyring is missing, readable by others or damaged.
    """
    deployment = open_deployment(database_url=settings.database_url, keyring=settings.keyring, clock=clock)
    return House(settings=settings, deployment=deployment)


def here() -> House:
    """Return the house of the request that is being answered."""
    house: House = current_app.extensions[EXTENSION]
    return house
