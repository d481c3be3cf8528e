"""What all rules about past contacts come down to: so many of a kind, in a window of so many days.

A cap counts contacts like the one that it holds back; an exclusion counts those of the other side, and one is too many;
an order asks for at least one; a rest counts what was turned down.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from personalise.contact_policy.model import Cap, ContactPolicy, Exclusion, Matching, Per, Rest, Source, Told

_PREFIX: Final[dict[Source, str]] = {"law": "law", "company": "company", "campaign": "cap"}
RULES: Final = ("cap:", "company:", "law:", "exclusion:", "order:", "rest:", "hours:", "wish:")
"""How the names of such rules begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One rule, as it binds a candidate.

    Attributes:
        rule: its name in verdicts, such as `cap:mail-30d`.
        key: what its columns are called by.
        counts: which past contacts count.
        limit: it refuses where so many lie in the window; where it `needs` them, where fewer do.
        days: a contact exactly so old no longer counts.
        of: contacts made, or contacts turned down.
        needs: it asks for contacts instead of holding them against him.
        per: whose contacts it counts: his own, or those of all in his household.
    """

    rule: str
    key: str
    counts: Matching
    limit: int
    days: int
    of: Literal["contacts", "rejections"] = "contacts"
    needs: bool = False
    per: Per = "customer"

    @property
    def plain(self) -> bool:
        """Say whether it asks for nothing but channels."""
        return self.of == "contacts" and self.counts == Matching(channels=self.counts.channels)


def binding(policy: ContactPolicy, caps: Sequence[Cap], told: Told) -> Iterator[Window]:
    """Walk the windows that bind a candidate which would say this of itself, the campaign's own caps first."""
    yield from (of_cap(cap) for cap in (*caps, *policy.caps) if cap.counts.holds(told))
    for each in policy.exclusions:
        yield from _excluding(each, told)
    yield from _resting(policy.rests, told)
    for order in policy.orders:
        if order.then.holds(told):
            yield _window(f"order:{order.key}", order.first, days=order.days, needs=True)


def of_cap(cap: Cap) -> Window:
    """Return a cap as a window. A campaign's own is known by its key, as everything in a campaign is."""
    rule = f"{_PREFIX[cap.source]}:{cap.key}"
    key = cap.key if cap.source == "campaign" else rule
    return Window(rule=rule, key=key, counts=cap.counts, limit=cap.limit, days=cap.days, per=cap.per)


def _excluding(each: Exclusion, told: Told) -> Iterator[Window]:
    """Walk what an exclusion counts against a candidate: the other side of each that it is one of."""
    for side, held_back, counted in (("one", each.one, each.other), ("other", each.other, each.one)):
        if held_back.holds(told):
            yield _window(f"exclusion:{each.key}:{side}", counted, days=each.days)


def _resting(rests: Sequence[Rest], told: Told) -> Iterator[Window]:
    """Walk what rests a candidate has to keep, each counting what was turned down."""
    for rest in rests:
        here = not rest.channels or told.channel in rest.channels
        if rest.whole and here:
            yield _window(f"rest:{rest.key}", Matching(), days=rest.days, of="rejections")
        elif here and (not rest.families or told.family in rest.families):
            family = Matching(families=(told.family,))
            yield _window(f"rest:{rest.key}:{told.family}", family, days=rest.days, of="rejections")


def _window(
    rule: str, counts: Matching, *, days: int, needs: bool = False, of: Literal["contacts", "rejections"] = "contacts"
) -> Window:
    return Window(rule=rule, key=rule, counts=counts, limit=1, days=days, of=of, needs=needs)
