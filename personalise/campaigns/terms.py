"""PURE: rules over offers, channels and permissions: the same everywhere, held in check, and asked for?"""

from collections.abc import Iterator
from itertools import combinations
from typing import Final

from personalise.campaigns.judging import Case, Flaw, Heading, Rule, Weight
from personalise.contact_policy.model import HELD_BACK
from personalise.language.possible import possible
from personalise.language.terms import Condition


def _alike(case: Case) -> Iterator[Flaw]:
    shown = [(spot, each, case.campaign.offers[each.offer]) for spot, each in enumerate(case.campaign.treatments)]
    for (_, one, first), (spot, other, second) in combinations(shown, 2):
        graded = first.grade is not None and second.grade is not None
        if first.family == second.family and one.channel != other.channel and first.terms != second.terms:
            if graded:
                continue
            what = f"Whoever hears of {one.key} by {one.channel} is told other terms by {other.channel} ({other.key})."
            yield Flaw(what, f"treatment[{spot}].offer", "Give both channels one offer, or the offers a grade.")


def _capped(case: Case) -> Iterator[Flaw]:
    caps = [cap for cap in (*case.campaign.caps, *case.contact_policy.caps) if not cap.tags and not cap.offers]
    open_ = {each.channel for each in case.campaign.treatments}
    for cap in caps:
        open_ -= set(cap.channels) if cap.channels else open_
    for channel in sorted(open_) if case.campaign.kind == HELD_BACK else ():
        what = f"Nothing limits how often a customer is addressed by {channel}."
        yield Flaw(what, "cap", "Write a cap: so many in so many days.")


def _bind(case: Case) -> Iterator[Flaw]:
    contacts = [case.campaign.told(each) for each in case.campaign.treatments]
    for spot, cap in enumerate(case.campaign.caps):
        if not any(cap.counts.holds(each) for each in contacts):
            what = f"The cap {cap.key} holds nothing back: no treatment is of its channels, purposes, tags and offers."
            yield Flaw(what, f"cap[{spot}]", "Name what this campaign sends, or leave the cap out.")
        elif cap.limit == 0:
            what = f"The cap {cap.key} lets no contact through that it counts, not even the first."
            yield Flaw(what, f"cap[{spot}].limit", "Give how many may come, or leave out the treatments it ends.")


def _lived(case: Case) -> Iterator[Flaw]:
    caps = [*case.campaign.caps, *case.contact_policy.caps]
    for cap in caps if not case.households else ():
        if cap.per == "household":
            what = f"The cap {cap.key} counts by household, and of nobody is it known who lives with him."
            do = "Have it told (`byleave customer household`, or by an import); until then everybody counts alone."
            yield Flaw(what, "cap" if cap.source == "campaign" else "", do)


def _terms(case: Case) -> Iterator[Flaw]:
    for spot, offer in enumerate(case.campaign.offers.values()):
        if not offer.terms:
            what = f"Nobody can look up on what terms {offer.key} is offered."
            yield Flaw(what, f"offer[{spot}].terms", "Write down price, conditions and until when.")


def _cost(case: Case) -> Iterator[Flaw]:
    for spot, offer in enumerate(case.campaign.offers.values()):
        if offer.value > 0 and offer.cost == 0:
            what = f"A contact about {offer.key} counts as free, so it always seems worth it."
            yield Flaw(
                what, f"offer[{spot}].cost", "Say what a contact costs the customer's patience; nothing is free."
            )


def _used(case: Case) -> Iterator[Flaw]:
    shown = {each.offer for each in case.campaign.treatments}
    for spot, key in enumerate(case.campaign.offers):
        if key not in shown:
            yield Flaw(f"No treatment offers {key}.", f"offer[{spot}].key", "Leave it out, or write its treatment.")


def _budget(case: Case) -> Iterator[Flaw]:
    if case.campaign.kind == HELD_BACK and case.campaign.goodwill_budget <= 0:
        what = "It doesn't say how much of the customers' goodwill it may spend."
        yield Flaw(what, "campaign.goodwill_budget", "Give the most points it may cost, over all customers.")


def _priced(case: Case) -> Iterator[Flaw]:
    free = {each.channel for each in case.campaign.treatments} - set(case.contact_policy.goodwill.prices)
    if free and case.campaign.goodwill_budget > 0:
        what = f"Its budget of goodwill limits no contact by {', '.join(sorted(free))}, which costs none."
        yield Flaw(what, "campaign.goodwill_budget", "Write the price into the contact policy: `goodwill.prices`.")


def _scopes(case: Case) -> Iterator[Flaw]:
    campaign = case.campaign
    for spot, each in enumerate(campaign.treatments):
        scope = f"contact:{each.channel}:{campaign.purpose}"
        if scope not in case.catalogue.scopes:
            what = f"No customer is ever asked for {scope}, so {each.key} reaches nobody."
            yield Flaw(
                what, f"treatment[{spot}].channel", "Choose a channel that the catalogue asks for, or extend it."
            )
    for where, category in _read(case):
        scope = f"use:{category}:{campaign.purpose}"
        if scope not in case.catalogue.scopes:
            what = f"No customer is ever asked for {scope}, so what it reads stays unknown."
            yield Flaw(what, where, "Leave the attribute out, or have the catalogue ask for it.")


def _worded(case: Case) -> Iterator[Flaw]:
    """Walk the wordings that nobody ever gets: what they read, the catalogue asks nobody for."""
    for spot, each in enumerate(case.campaign.treatments):
        read = {case.catalogue.attributes[name].category for name in each.wording.attributes}
        for category in sorted(read):
            scope = f"use:{category}:{case.campaign.purpose}"
            if scope not in case.catalogue.scopes:
                what = f"No customer is ever asked for {scope}, so everybody gets the general wording of {each.key}."
                do = "Leave the attribute out of the wording, or have the catalogue ask for it."
                yield Flaw(what, f"treatment[{spot}].general", do)


def _telling(case: Case) -> Iterator[Flaw]:
    """Walk the conditions that hold of nobody, or of everybody; `TRUE` says openly that it does."""
    for where, condition in _conditions(case):
        found = possible(condition, at=case.at) if condition.text != "TRUE" else None
        if found and not found.true:
            what = f"No customer can meet it: `{condition.text}` never holds."
            yield Flaw(what, where, "Look which of its parts exclude each other: as it stands, nobody is addressed.")
        elif found and not found.false:
            what = f"It tells nobody apart: `{condition.text}` holds of everybody of whom it is known."
            yield Flaw(what, where, "Write what was meant; where everybody is meant, write TRUE.")


def _conditions(case: Case) -> Iterator[tuple[str, Condition]]:
    yield "campaign.audience", case.campaign.audience
    for spot, offer in enumerate(case.campaign.offers.values()):
        yield from ((f"offer[{spot}].{rule}", condition) for rule, condition in offer.conditions)


def _special(case: Case) -> Iterator[Flaw]:
    for where, category in _read(case):
        if case.catalogue.categories[category].special:
            what = f"It reads “{case.catalogue.categories[category].title}”, which people hold to be private."
            yield Flaw(what, where, "Do without it, unless the customer would expect it here.")


def _read(case: Case) -> Iterator[tuple[str, str]]:
    """Walk the categories that the campaign's expressions read, each where it is read first."""
    campaign = case.campaign
    read = [(where, condition.categories) for where, condition in _conditions(case)]
    read += [(f"treatment[{spot}].score", each.score.categories) for spot, each in enumerate(campaign.treatments)]
    seen: set[str] = set()
    for where, categories in read:
        for category in sorted(categories - seen):
            seen.add(category)
            yield where, category


def _purpose(case: Case) -> Iterator[Flaw]:
    purpose = case.catalogue.purposes.get(case.campaign.purpose)
    if purpose is None:
        yield Flaw(
            "The catalogue knows no such purpose.", "campaign.purpose", "Choose one that customers are asked for."
        )
    elif case.campaign.kind == HELD_BACK and not purpose.marketing:
        what = f"It advertises under “{purpose.title}”, which customers allow for their service."
        yield Flaw(what, "campaign.purpose", "Choose a purpose that says what this is.")


RULES: Final = (
    Rule(key="terms_alike", heading=Heading.REMEMBER, weight=Weight.SHOULD, judge=_alike),
    Rule(key="contacts_capped", heading=Heading.TIME, weight=Weight.SHOULD, judge=_capped),
    Rule(key="caps_bind", heading=Heading.TIME, weight=Weight.SHOULD, judge=_bind),
    Rule(key="households_known", heading=Heading.TIME, weight=Weight.SHOULD, judge=_lived),
    Rule(key="conditions_tell", heading=Heading.SIMPLE, weight=Weight.SHOULD, judge=_telling),
    Rule(key="offers_used", heading=Heading.SIMPLE, weight=Weight.SHOULD, judge=_used),
    Rule(key="terms_written", heading=Heading.ACCESSIBLE, weight=Weight.SHOULD, judge=_terms),
    Rule(key="goodwill_budget", heading=Heading.VALUE, weight=Weight.GATE, judge=_budget),
    Rule(key="goodwill_priced", heading=Heading.VALUE, weight=Weight.SHOULD, judge=_priced),
    Rule(key="contact_cost", heading=Heading.VALUE, weight=Weight.SHOULD, judge=_cost),
    Rule(key="purpose", heading=Heading.SECURE, weight=Weight.GATE, judge=_purpose),
    Rule(key="scopes_asked", heading=Heading.SECURE, weight=Weight.GATE, judge=_scopes),
    Rule(key="wordings_asked", heading=Heading.SECURE, weight=Weight.SHOULD, judge=_worded),
    Rule(key="special_categories", heading=Heading.SECURE, weight=Weight.SHOULD, judge=_special),
)
