"""PURE: a campaign in words, as its file says it, for people who didn't write the file."""

from dataclasses import dataclass
from datetime import datetime

from api.pages import present
from api.pages.choices import name_of
from api.pages.mails import GENERAL, OWN
from api.pages.reasons import cap_in_words, volume_in_words
from api.pages.words import FIRST, words
from consent.catalogue.model import Catalogue
from personalise.campaigns.model import Campaign, Objective, Offer, Treatment
from personalise.steps.personalise.policy import policy

_ONE_IN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An offer or a treatment: its name, and its facts."""

    name: str
    facts: tuple[tuple[str, str], ...]
    wordings: tuple[tuple[str, str], ...] = ()
    """What it says: for whom or what ("" for the content), and the words."""
    mails: tuple[tuple[str, str, str], ...] = ()
    """Its HTML mails: which, for whom, and the MJML."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A campaign in words."""

    key: str
    name: str
    benefit: str
    published: str
    objective: tuple[tuple[str, str], ...]
    audience: str
    needs: tuple[str, ...]
    offers: tuple[Told, ...]
    treatments: tuple[Told, ...]
    limits: tuple[str, ...]
    people: tuple[tuple[str, str], ...]


def described(campaign: Campaign, version: int, catalogue: Catalogue, *, published_at: datetime | None) -> Described:
    """Return a campaign in words."""
    when = f", published on {present.day(published_at)}" if published_at else ""
    scopes = policy(campaign, version, catalogue).scopes
    return Described(
        key=campaign.key,
        name=campaign.name,
        benefit=campaign.benefit,
        published=f"Version {version}{when}",
        objective=_objective(campaign, catalogue),
        audience=campaign.audience.text,
        needs=tuple(
            name_of(catalogue.scopes[scope], catalogue, words(FIRST)) if scope in catalogue.scopes else scope
            for scope in scopes
        ),
        offers=_offers(campaign),
        treatments=_treatments(campaign, catalogue),
        limits=_limits(campaign, catalogue),
        people=(("A person to reach", campaign.person_to_reach), ("A way out", campaign.way_out)),
    )


def _objective(campaign: Campaign, catalogue: Catalogue) -> tuple[tuple[str, str], ...]:
    objective = campaign.objective
    return (
        ("What for", objective.title),
        ("The challenge", objective.challenge),
        ("Measured by", objective.measure.replace("_", " ")),
        ("Target", _target(objective, catalogue)),
        ("By", f"{objective.by:%-d %B %Y}"),
        ("Owner", objective.owner),
    )


def _target(objective: Objective, catalogue: Catalogue) -> str:
    measure = catalogue.attributes.get(objective.measure)
    if measure and measure.type == "boolean":
        return f"{present.points(objective.target)} percentage points against the holdout"
    return f"{present.number(objective.target)} more a customer than in the holdout"


def _offers(campaign: Campaign) -> tuple[Told, ...]:
    return tuple(
        Told(
            name=offer.key,
            facts=(
                *((key.replace("_", " ").capitalize(), str(term)) for key, term in offer.terms.items()),
                *_for_whom(offer),
                ("Value to the company", present.number(offer.value)),
                ("Cost of a contact", present.number(offer.cost)),
            ),
        )
        for offer in campaign.offers.values()
    )


def _for_whom(offer: Offer) -> tuple[tuple[str, str], ...]:
    named = {"eligibility": "For whom", "applicability": "Who can use it", "suitability": "For whom it is good"}
    told = tuple((named[rule], condition.text) for rule, condition in offer.conditions)
    return told if offer.eligibility else (("For whom", "everybody in the audience"), *told)


def _treatments(campaign: Campaign, catalogue: Catalogue) -> tuple[Told, ...]:
    return tuple(
        Told(
            name=each.key,
            facts=(
                ("Offer", each.offer),
                (
                    "Channel",
                    catalogue.channels[each.channel].title if each.channel in catalogue.channels else each.channel,
                ),
                ("Chance that it helps", each.score.text),
            ),
            wordings=_wordings(each),
            mails=_mails(each),
        )
        for each in campaign.treatments
    )


def _wordings(treatment: Treatment) -> tuple[tuple[str, str], ...]:
    """Return what is said, the subject first; then what is said to who doesn't permit what these read."""
    wording = treatment.wording
    told = (
        ("Subject", wording.subject), ("", wording.content),
        ("Subject to everybody else", wording.general_subject), ("To everybody else", wording.general),
    )  # fmt: skip
    return tuple((title, each.source) for title, each in told if each)


def _mails(treatment: Treatment) -> tuple[tuple[str, str, str], ...]:
    wording = treatment.wording
    told = (
        (OWN, "The same as an HTML mail", wording.mail),
        (GENERAL, "The same as an HTML mail, to everybody else", wording.general_mail),
    )
    return tuple((which, title, mail.mjml) for which, title, mail in told if mail)


def _limits(campaign: Campaign, catalogue: Catalogue) -> tuple[str, ...]:
    share = present.share(campaign.holdout.share, _ONE_IN)
    held = f"{share} of the customers are held out by chance, to measure against." if campaign.holdout.share else ""
    caps = [cap_in_words(cap, catalogue) for cap in campaign.caps]
    volumes = [volume_in_words(volume, catalogue) for volume in campaign.volumes]
    lines = [f"{cap[0].upper()}{cap[1:]}, over all campaigns." for cap in caps]
    lines += [f"{each[0].upper()}{each[1:]}, to whom it is worth most." for each in volumes]
    if campaign.goodwill_budget:
        points = f"{campaign.goodwill_budget:,g} point{'s' * (campaign.goodwill_budget != 1)}"
        lines.append(f"At most {points} of goodwill, over all versions.")
    return tuple(line for line in (*lines, held) if line)
