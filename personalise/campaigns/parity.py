"""PURE: price parity. Terms may not depend on what a catalogue says they may never depend on.

How long somebody has been a customer, how likely he is to leave, what he uses to look: `unpriced` names such facts by
category. A dependence shows in the expressions that decide who gets which terms, and in the features of the model.
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
    categories = catalogue.categories
    tainted = {key for key, each in categories.items() if each.unpriced}
    made: set[str] = set()
    while more := {key for key, each in categories.items() if tainted.intersection(each.sources)} - made:
        made |= more
        tainted |= more
    return unpriced(catalogue) | {name.name for key in made for name in categories[key].attributes}


def dependences(campaign: Campaign, catalogue: Catalogue) -> Iterator[tuple[str, str]]:
    """Walk what terms depend on and may not: the place in the file, and the attribute.

    Who may have an offer at all is a term: its conditions and the audience count always. Who of them gets it, and who
    is left alone, is decided by scores, and all treatments compete: so every score counts where any has terms.
    """
    forbidden = unpriced(catalogue)
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


def _parity(case: Case) -> Iterator[Flaw]:
    for where, name in dependences(case.campaign, case.catalogue):
        what = f"Who gets an offer, or on which terms, depends on {name}, and the catalogue says that no terms may."
        yield Flaw(what, where, f"Leave {name} out: what new customers get is open to all.")


RULES: Final = (Rule(key="price_parity", heading=Heading.FAIR, weight=Weight.MUST, judge=_parity),)
