"""PURE: why customers were not addressed, by the titles that their catalogue gives to scopes and channels."""

from collections.abc import Mapping
from typing import Final

from api import lost
from api.pages import present
from api.pages.choices import name_of
from api.pages.words import FIRST, words
from consent.catalogue.model import Catalogue
from personalise.campaigns.model import Campaign, Volume
from personalise.contact_policy.model import Cap
from personalise.steps.personalise.stages import Stage

STAGES: Final[Mapping[Stage, str]] = {
    Stage.IDENTITY: "Known to us",
    Stage.HARD_STOPS: "Have not stopped us",
    Stage.ELIGIBILITY: "It is meant for them",
    Stage.PERMISSION: "They allow it",
    Stage.HOLDOUT: "Not held out to measure",
    Stage.CONTACT_POLICY: "Not reached too often",
    Stage.GOODWILL: "Goodwill is left",
    Stage.ARBITRATION: "It is worth their time",
    Stage.COMMITMENTS: "No promise stands against it",
}
"""What holds of the customers who come past a stage."""


def reason_in_words(counted: str, campaign: Campaign, catalogue: Catalogue) -> str:
    """Return why customers were not addressed.

    Args:
        counted: a key of `Counts.reasons`: a rule, and the reason behind it where it has one.
        campaign: which.
        catalogue: that it was read under.
    """
    caps = {each.key: each for each in campaign.caps}

    def scope(key: str) -> str:
        rule = catalogue.scopes.get(key)
        return name_of(rule, catalogue, words(FIRST)) if rule else key

    def cap(key: str) -> str:
        return cap_in_words(caps[key], catalogue) if key in caps else key

    return lost.why(counted, scope=scope, cap=cap, audience=campaign.audience.text)


def volume_in_words(volume: Volume, catalogue: Catalogue) -> str:
    """Return a volume as a sentence has it."""
    titles = {key: each.title for key, each in catalogue.channels.items()}
    named = [*volume.treatments, *(titles.get(key, key) for key in volume.channels)]
    return f"at most {present.counted(volume.limit, 'contact')} by {present.listed(named)} in all"


def cap_in_words(cap: Cap, catalogue: Catalogue) -> str:
    """Return a cap as a sentence has it."""
    channels = [catalogue.channels[key].title if key in catalogue.channels else key for key in cap.channels]
    limit, days = present.counted(cap.limit, "contact"), present.counted(cap.days, "day")
    by = f" by {present.listed(channels)}" if channels else ""
    to = " to all of a household together" if cap.per == "household" else ""
    return f"at most {limit}{by}{to} in {days}"
