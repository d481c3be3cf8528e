"""The made-up customers: who they are, what they bought, what they like."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

OUTDOOR: Final = ("running", "hiking", "cycling")
HOME: Final = ("garden", "cooking", "living")
TOPICS: Final = (*OUTDOOR, *HOME, "reading", "music")

HABITS: Final = {"email": 0.55, "sms": 0.2, "phone": 0.15, "post": 0.1}
"""Usual channel and the share of customers who use it."""

PLACES: Final = (
    ("DE", "de", "Europe/Berlin", 0.40),
    ("AT", "de", "Europe/Vienna", 0.08),
    ("CH", "de", "Europe/Zurich", 0.05),
    ("CH", "fr", "Europe/Zurich", 0.02),
    ("GB", "en", "Europe/London", 0.15),
    ("IE", "en", "Europe/Dublin", 0.03),
    ("FR", "fr", "Europe/Paris", 0.10),
    ("NL", "nl", "Europe/Amsterdam", 0.05),
    ("US", "en", "America/New_York", 0.06),
    ("US", "en", "America/Chicago", 0.03),
    ("US", "en", "America/Los_Angeles", 0.03),
)
"""Country (ISO 3166), language (ISO 639), time zone (IANA), share of customers; the shares sum to 1."""

NEVER_BOUGHT: Final = 0.06
FREQUENT_VISITOR: Final = 0.08

Words = npt.NDArray[np.str_]


def population(n: int, generator: np.random.Generator) -> pa.Table:
    """Make `n` customers, one row each, in the order of their references from S000001.

    Addresses are in the reserved domain .example (RFC 2606). Months, purchase count and visits are whole numbers,
    spend is in euros. A customer who never bought has no month and category of a purchase: these cells are null, as is
    the category viewed by one who didn't visit.

    >>> population(2, np.random.default_rng(1))["email"].to_pylist()
    ['s000001@shop.example', 's000002@shop.example']
    """
    number = np.arange(1, n + 1)
    main = _topics(n, generator)
    columns: dict[str, pa.Array] = {
        "reference": pa.array(np.char.mod("S%06d", number)),
        "email": pa.array(np.char.mod("s%06d@shop.example", number)),
    }
    place = generator.choice(len(PLACES), size=n, p=[share for *_, share in PLACES])
    for spot, name in enumerate(("country", "language", "time_zone")):
        columns[name] = pa.array(np.array([entry[spot] for entry in PLACES])[place])
    columns["usual_channel"] = pa.array(generator.choice(list(HABITS), size=n, p=list(HABITS.values())))
    columns |= _purchases(main, generator)
    columns["main_interest"] = pa.array(main)
    columns["interests"] = pa.array(_interests(main, generator))
    columns |= _browsing(main, generator)
    return pa.table(columns)


def _topics(n: int, generator: np.random.Generator) -> Words:
    return np.array(TOPICS)[generator.integers(len(TOPICS), size=n)]


def _mostly(main: Words, share: float, generator: np.random.Generator) -> Words:
    """The main interest with probability `share`, else any topic."""
    other = _topics(len(main), generator)
    return np.where(generator.random(len(main)) < share, main, other)


def _purchases(main: Words, generator: np.random.Generator) -> dict[str, pa.Array]:
    n = len(main)
    never = generator.random(n) < NEVER_BOUGHT
    count = np.where(never, 0, 1 + generator.poisson(generator.gamma(1.2, 3.0, size=n)))
    months = np.minimum(generator.exponential(7.0, size=n).astype(np.int64), 24)
    # What lies more than a year back is not part of the past year's spend.
    recent = np.where(months < 12, np.maximum(1, count * (12 - months) // 24), 0) * (count > 0)  # noqa: PLR2004 -- a year and two, in months
    spend = np.round(recent * generator.lognormal(3.6, 0.5, size=n), 2)
    last = _mostly(main, 0.55, generator)
    return {
        "months_since_purchase": pa.array(months, mask=never),
        "spend_past_year": pa.array(spend),
        "purchases_count": pa.array(count),
        "last_purchase_category": pa.array(last, mask=never),
    }


def _interests(main: Words, generator: np.random.Generator) -> Words:
    """One to three topics, the main one first, separated by semicolons."""
    text = main
    for share in (0.6, 0.3):
        another = _topics(len(main), generator)
        new = (generator.random(len(main)) < share) & (np.char.find(text, another) < 0)
        text = np.where(new, np.char.add(np.char.add(text, ";"), another), text)
    return text


def _browsing(main: Words, generator: np.random.Generator) -> dict[str, pa.Array]:
    n = len(main)
    frequent = generator.random(n) < FREQUENT_VISITOR
    visits = generator.poisson(np.where(frequent, 12.0, 1.6))
    viewed = _mostly(main, 0.5, generator)
    return {
        "visits_past_month": pa.array(visits),
        "last_viewed_category": pa.array(viewed, mask=visits == 0),
    }
