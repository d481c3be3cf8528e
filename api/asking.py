"""Where a customer may be asked: the place on his own page at which a denial that may be asked about is answered."""

from typing import Final

from consent.permission.verdict import Denial, Verdict

CHOICES: Final = "/p/choices"
"""The page of a customer's choices."""


def anchor(scope: str) -> str:
    """Return a scope as an element's id.

    >>> anchor("contact:email:newsletter")
    'contact-email-newsletter'
    """
    return scope.replace(":", "-")


def asked_at(verdict: Verdict, base_url: str) -> str | None:
    """Return where the customer may be asked for what was denied; None where he is to be left alone, or permits.

    The link asks nothing by itself and signs nobody in: it is the same for every customer.
    """
    if isinstance(verdict, Denial) and verdict.may_be_asked:
        return f"{base_url}{CHOICES}#{anchor(verdict.to_ask)}"
    return None
