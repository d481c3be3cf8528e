"""The house: settings made into a deployment, once a process, for every face alike."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from flask import current_app

from api.rates.limiter import ADDRESS, CUSTOMER, KEY, Limiter
from api.rates.policy import Policy
from api.rates.shared import shared
from api.settings import Settings
from consent.audit import asking
from consent.base.clock import Clock, system_clock
from consent.deployment import Deployment, open_deployment
from consent.register import links
from consent.register.cosigning import Witnessing
from consent.register.gathering import Gathering
from consent.rights.processing import Contacted
from consent.rights.sections import Elsewhere
from personalise import held
from personalise.engine import Deciding
from personalise.responses import opt_outs

EXTENSION: Final = "byleave"
"""Under which name a Flask application keeps its house."""

HEARTBEAT: Final = "worker.heartbeat"
"""Under which job a worker leaves its sign of life, and every face looks for it."""

ASKED_AUDIT: Final = asking.JOB
"""Under which job an audit is queued that somebody asked for and that is too large to wait for."""


_GLANCE_SECONDS: Final = 1.0
"""How long a process that starts waits for the witness."""


OUTBOX: Final = "outbox"
"""The folder at home in which mails wait for the company's mailer, a file each."""


_RATES: Final = "rates/v1"
"""What the key that hides who is counted is derived for."""


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

    @cached_property
    def deciding(self) -> Deciding:
        """The way to decisions for requests that come at the same time."""
        return Deciding(self.deployment)

    @cached_property
    def limiter(self) -> Limiter:
        """Who counts what is asked of this process, with all others that have this database."""
        asked, desk = self.settings, self.deployment.desk
        quotas = {KEY: asked.rate_per_key, ADDRESS: asked.rate_per_address, CUSTOMER: asked.rate_per_customer}
        policies = [Policy(name, quota) for name, quota in quotas.items() if quota]
        key = links.derived_key(desk, _RATES)
        return Limiter(shared(self.deployment.store), policies, key=key)

    def elsewhere(self, language: str = "en") -> Elsewhere:
        """Return what the deciding floor holds of customers: it goes into what they are given, and into their files."""
        opened = self.deployment
        return Elsewhere(
            decisions=lambda who, by: held.decisions(opened, who, by=by, language=language),
            contacts=lambda who, by: held.contacts(opened, who, by=by),
            outcomes=lambda who, by: held.outcomes(opened, who, by=by),
            goodwill=lambda who, by: held.goodwill(opened, who, by=by),
            commitments=lambda who, by: held.commitments(opened, who, by=by),
            wishes=lambda who, by: held.wishes(opened, who, by=by),
        )

    @cached_property
    def witnessing(self) -> Witnessing | None:
        """The ledger as its witness is asked about it; None where the settings name none."""
        place, opened = self.settings.witness, self.deployment
        if place is None:
            return None
        return Witnessing(store=opened.store, desk=opened.desk, place=place, clock=opened.clock)

    def look_at_witness(self) -> None:
        """Before anything opens, hold the ledger against what its witness saw last.

        Where they disagree, appends are refused from here on; where he doesn't answer at once, the worker asks again.
        """
        if self.witnessing is not None:
            place = replace(self.witnessing.place, timeout_seconds=_GLANCE_SECONDS)
            replace(self.witnessing, place=place).look()

    @property
    def contacted(self) -> Contacted:
        """How often customers were reached, for the record of processing."""
        return held.contacted

    def close(self) -> None:
        """Close all connections. A process that ends needn't."""
        self.deployment.close()


def open_house(settings: Settings, *, clock: Clock = system_clock) -> House:
    """Open the deployment that the settings name; nothing connects before the first use.

    Raises:
        SettingsInvalid: the keyring is missing, readable by others or damaged.
        KmsDown: the Vault that sealed it does not answer.
    """
    deployment = open_deployment(
        database_url=settings.database_url,
        keyring=settings.keyring,
        clock=clock,
        vault=settings.vault,
        erasures=settings.erasures,
        horizon=settings.horizon,
        hears=opt_outs.hear,
        witnessed=settings.witness is not None,
    )
    return House(settings=settings, deployment=deployment)


def here() -> House:
    """Return the house of the request that is being answered."""
    house: House = current_app.extensions[EXTENSION]
    return house
