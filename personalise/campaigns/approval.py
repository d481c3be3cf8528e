"""PURE: would your mother approve? The check that a campaign passes before it is launched.

Its headings are the customer's ten expectations; under each stands at least one rule that a program can judge. What
breaks a rule is advice, in the words of a good colleague. Some rules bind: what breaks one of those isn't approved.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from consent.base.clock import EPOCH
from consent.catalogue.model import Catalogue
from personalise.campaigns import goals, mails, messages, parity, terms
from personalise.campaigns.judging import Advice, Case, Heading, Rule
from personalise.campaigns.model import Campaign

RULES: Final[tuple[Rule, ...]] = (*messages.RULES, *mails.RULES, *parity.RULES, *terms.RULES, *goals.RULES)
"""Every rule. A new one is written beside its like, or in a module of its own whose rules are added here."""

_ORDER: Final = {heading: spot for spot, heading in enumerate(Heading)}


def advise(case: Case, *, four_eyes: bool, rules: Sequence[Rule] = RULES) -> tuple[Advice, ...]:
    """Return what is wrong with a campaign: under each heading what binds first, in the order of the rules.

    Args:
        case: the campaign, its catalogue, and what its last dry run foresaw.
        four_eyes: whether a second person has to approve it; then more of the rules bind.
        rules: which.
    """
    found = [
        Advice(
            heading=rule.heading,
            rule=rule.key,
            must=rule.binds(four_eyes=four_eyes),
            what=flaw.what,
            where=flaw.where,
            do=flaw.do,
        )
        for rule in rules
        for flaw in rule.judge(case)
    ]
    return tuple(sorted(found, key=lambda each: (_ORDER[each.heading], not each.must)))


def binding(*, four_eyes: bool) -> tuple[str, ...]:
    """Return the keys of the rules that bind, in their order."""
    return tuple(rule.key for rule in RULES if rule.binds(four_eyes=four_eyes))


def broken(campaign: Campaign, catalogue: Catalogue) -> tuple[Advice, ...]:
    """Return what binds also where nobody has to approve, and is broken.

    It follows from the two alone, and is worked out once: live decisions ask it each time.
    """
    return _broken(_Bound(campaign.digest, catalogue.digest, (campaign, catalogue)))


@dataclass(frozen=True, slots=True)
class _Bound:
    """A campaign and a catalogue, as a cache's key: their digests, and beside them what they are of."""

    campaign: bytes
    catalogue: bytes
    parts: tuple[Campaign, Catalogue] = field(compare=False, repr=False)


@lru_cache(maxsize=256)
def _broken(bound: _Bound) -> tuple[Advice, ...]:
    campaign, catalogue = bound.parts
    case = Case(campaign=campaign, catalogue=catalogue, at=EPOCH)  # none of these rules asks what time it is
    return advise(case, four_eyes=False, rules=kept(binding(four_eyes=False)))


def kept(keys: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules of these keys, those that there still are: what bound when something was approved."""
    return tuple(rule for rule in RULES if rule.key in keys)
