"""PURE: would your mother approve? The check that a campaign passes before it is launched.

Its headings are the customer's ten expectations; under each stands at least one rule that a program can judge. What
breaks a rule is advice, in the words of a good colleague. Some rules bind: what breaks one of those isn't approved.
"""

from collections.abc import Sequence
from typing import Final

from personalise.campaigns import goals, mails, messages, parity, terms
from personalise.campaigns.judging import Advice, Case, Heading, Rule

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


def kept(keys: Sequence[str]) -> tuple[Rule, ...]:
    """Return the rules of these keys, those that there still are: what bound when something was approved."""
    return tuple(rule for rule in RULES if rule.key in keys)
