"""PURE: price parity. Terms may not depend on what a catalogue says they may never depend on.

How long somebody has been a customer, how likely he is to leave, what he uses to look: `unpriced` names such facts by
category. A dependence shows in the expressions that decide who gets which terms, in the features of the model, and in
the wordings that tell the terms.
"""

from collections.abc import Iterator
from typing import Final

from consent.catalogue.model import Catalogue
from personalise.campaigns.judging import Case, Flaw, Heading, Rule, Weight
from personalise.campaigns.model import Campaign


def unpriced(catalogue: Catalogue) -> frozenset[str]:
    """Return the attributes that no terms may depend on."""
    return frozenset(name for category in catalogue.categories.values() for name in category.unpriced)


def carrying(catalogue: Catalogue) -> frozenset[str]:
    """Return the attributes that may carry what no terms may depend on: those themselves, and all made from them.

    Of a derived category it is known from which categories it is made, not from which attributes; where one of them has
    such facts, each of its own counts.
    """
    made = (each for key, each in catalogue.categories.items() if _sources(catalogue, key))
    return unpriced(catalogue) | {attribute.name for each in made for attribute in each.attributes}


def _sources(catalogue: Catalogue, key: str) -> list[str]:
    """Return the categories with unpriced facts that one is made from, directly or not, in order."""
    found: list[str] = []
    seen, left = set[str](), list(catalogue.categories[key].sources)
    while left:
        source = left.pop()
        each = catalogue.categories.get(source)
        if source not in seen and each:
            seen.add(source)
            left += each.sources
            found += [source] if each.unpriced else []
    return sorted(found)


def dependences(campaign: Campaign, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Walk what terms depend on and may not: the place in the file, and the attribute."""
    forbidden = carrying(catalogue)
    yield from _decided_by(campaign, forbidden)
    yield from worded_by(campaign, forbidden)


def _decided_by(campaign: Campaign, forbidden: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Walk what decides who gets which terms.

    Who may have an offer at all is a term: its conditions and the audience count always. Who of them gets it, and who
    is left alone, is decided by scores, and all treatments compete: so every score counts where any has terms.
    """
    for name in sorted(forbidden & campaign.audience.attributes):
        yield "campaign.audience", name
    for spot, offer in enumerate(campaign.offers.values()):
        for rule, condition in offer.conditions:
            for name in sorted(forbidden & condition.attributes):
                yield f"offer[{spot}].{rule}", name
    if any(campaign.offers[each.offer].terms for each in campaign.treatments):
        yield from _scored_by(campaign, forbidden)


def _scored_by(campaign: Campaign, forbidden: frozenset[str]) -> Iterator[tuple[str, str]]:
    for spot, each in enumerate(campaign.treatments):
        for name in sorted(forbidden & each.score.attributes):
            yield f"treatment[{spot}].score", name
    if campaign.scorer in ("response", "uplift"):
        for name in sorted(forbidden.intersection(campaign.features)):
            yield "campaign.features", name


def worded_by(campaign: Campaign, forbidden: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Walk what the wordings of offers with terms read and may not: by it they could tell one other terms than another.

    The general wordings read nothing.
    """
    for spot, each in enumerate(campaign.treatments):
        wording = each.wording
        parts = {"subject": wording.subject, "content": wording.content, "mjml": wording.mail and wording.mail.html}
        for key, part in parts.items() if campaign.offers[each.offer].terms else ():
            for name in sorted(forbidden.intersection(part.attributes if part else ())):
                yield f"treatment[{spot}].{key}", name


def _parity(case: Case) -> Iterator[Flaw]:
    forbidden = carrying(case.catalogue)
    for where, name in _decided_by(case.campaign, forbidden):
        what = f"Who gets an offer, or on which terms, depends on {name}, {_forbidding(case.catalogue, name)}."
        yield Flaw(what, where, f"Leave {name} out: what some are offered is open to all, whatever it is.")
    for where, name in worded_by(case.campaign, forbidden):
        what = f"What it says of its terms could depend on {name}, {_forbidding(case.catalogue, name)}."
        yield Flaw(what, where, f"Leave {name} out: everybody is told the same terms.")


def _forbidding(catalogue: Catalogue, name: str) -> str:
    """Say why no terms may depend on an attribute: by itself, or by what it is derived from."""
    if name in unpriced(catalogue):
        return "and the catalogue says that no terms may"
    sources = _sources(catalogue, catalogue.attributes[name].category)
    facts = " and ".join(f"{key} ({', '.join(catalogue.categories[key].unpriced)})" for key in sources)
    return f"which is derived from {facts}, and the catalogue says that no terms may depend on that"


RULES: Final = (Rule(key="price_parity", heading=Heading.FAIR, weight=Weight.MUST, judge=_parity),)
