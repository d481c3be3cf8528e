"""What a customer's word does to what is kept of him here, in the very transaction that records it.

A channel that he ends for a purpose takes from his goodwill, with reference to the last contact by it; where an outcome
is not remembered any more, neither is when it came in.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from consent.base.clock import to_ms
from consent.base.store import Work
from consent.register.desk import Desk
from consent.register.hearing import Ended, Heard
from personalise import contacts, goodwill, shelf
from personalise.goodwill import Entry, Posting
from personalise.responses import coming, joining

LATELY: Final = timedelta(days=30)
"""An opt-out is put down to the last contact by its channel and purpose, unless that is longer ago."""

_CONTACT: Final = "contact:"


def hear(desk: Desk, work: Work, heard: Heard, at: datetime) -> None:
    """Book what customers ended, and forget when outcomes came in of those who have them forgotten."""
    _forget(desk, work, heard)
    if heard.joined:
        joining.join(desk, work, heard.joined, at)
    ended = [each for each in heard.ended if any(scope.startswith(_CONTACT) for scope in each.scopes)]
    if not ended:
        return
    terms = shelf.goodwill_terms(work)
    amount = goodwill.priced(terms, Entry.OPT_OUT)
    if not amount:
        return
    customers = sorted({each.customer for each in ended})
    last = contacts.last_of(work, customers, since=to_ms(at - LATELY))
    postings = [
        Posting(each.customer, Entry.OPT_OUT, amount, last.get((each.customer, channel, purpose), ""))
        for each in ended
        for channel, purpose in _topics(each)
    ]
    goodwill.book(work, postings, terms, at=at)


def _topics(ended: Ended) -> Iterator[tuple[str, str]]:
    """Walk the channels and purposes that were ended."""
    for scope in ended.scopes:
        if scope.startswith(_CONTACT):
            channel, _, purpose = scope.removeprefix(_CONTACT).partition(":")
            yield channel, purpose


def _forget(desk: Desk, work: Work, heard: Heard) -> None:
    by_category: dict[str, set[str]] = {}
    for category, customer in heard.forgotten:
        by_category.setdefault(category, set()).add(customer)
    known = desk.catalogues.current(work).categories if by_category else {}
    for category, customers in by_category.items():
        if category in known:
            coming.forget(work, customers, [each.name for each in known[category].attributes])
