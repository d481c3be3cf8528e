"""A dry run: who would be addressed, who is lost and why. Nothing changes but the record of having looked."""

from collections.abc import Callable
from typing import Final

from consent.base.store import Work
from consent.deployment import Deployment
from consent.register import customers
from consent.uses import Use
from personalise import shelf
from personalise.runs.chunk import decided
from personalise.runs.counts import Counts
from personalise.steps.personalise.policy import Policy, policy

CHUNK: Final = 5_000
"""Customers decided in one transaction, unless somebody asks for fewer."""

Progress = Callable[[int, int], None]


def load_policy(
    deployment: Deployment, work: Work, key: str, *, version: int = 0, model: int | None = None, catalogue: int = 0
) -> tuple[Policy, int]:
    """Return the policy of a campaign, with its model's number (0: its rules score).

    What isn't pinned is the newest: the campaign's version, its model, the catalogue (0: the one in force).

    Raises:
        CampaignUnknown: no campaign by that key.
        CampaignInvalid: the catalogue has changed, so that it no longer holds.
    """
    catalogues = deployment.desk.catalogues
    read_under = catalogues.version(work, catalogue) if catalogue else catalogues.current(work)
    campaign, number = shelf.load(work, key, read_under, version=version)
    fitted, model_number = shelf.load_model(work, key, version=model)
    compiled = policy(campaign, number, read_under, fitted, model_version=model_number)
    return compiled, compiled.model_version


def dry_run(
    deployment: Deployment, key: str, *, actor: str, progress: Progress | None = None, most: int = CHUNK
) -> Counts:
    """Decide for everybody and keep nothing: no contact, no decision, no cursor.

    That the data were read is written down all the same (`data_use`): looking is a use.

    Args:
        deployment: where.
        key: the campaign's.
        actor: who asks.
        progress: called after each chunk with how many customers are done, and how many there are.
        most: customers in a chunk. What is decided doesn't depend on it.

    Raises:
        CampaignUnknown: no campaign by that key.
    """
    at = deployment.clock()
    with deployment.store.read() as work:
        chosen, _ = load_policy(deployment, work, key)
        total = customers.count(work)
    counts = Counts()
    after = ""
    use = Use(actor=actor, purpose=chosen.campaign.purpose, reason=f"dry run of {key}")
    while True:
        with deployment.store.write() as work:
            ids = customers.after(work, after, most)
            if not ids:
                return counts
            made = decided(deployment.desk, work, ids, chosen, use=use, at=at, now=deployment.clock())
        counts.add(made.table, chosen)
        after = ids[-1]
        if progress:
            progress(counts.customers, total)
