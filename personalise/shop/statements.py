"""What the made-up customers said over two years: first answers on a form, and what some thought better of."""

from datetime import datetime
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa


class Ask(NamedTuple):
    """Scopes asked for in one go, the share of customers who would say yes, and the forms that ask."""

    scopes: tuple[str, ...]
    share: float
    forms: tuple[str, ...]


FORMS: Final = {"web_form": 0.75, "paper": 0.15, "phone": 0.10}
"""How the first answers came, and the share of customers."""

EVERY: Final = tuple(FORMS)
ASKS: Final = (
    Ask(("remember:purchases", "use:purchases:recommendations"), 0.76, EVERY),
    Ask(("remember:interests", "use:interests:recommendations", "use:interests:newsletter"), 0.70, EVERY),
    Ask(("remember:browsing", "use:browsing:recommendations"), 0.40, ("web_form",)),
    Ask(("use:preferences:recommendations",), 0.62, ("web_form",)),
    Ask(("contact:email:recommendations",), 0.68, EVERY),
    Ask(("contact:email:newsletter",), 0.45, ("web_form", "paper")),
    Ask(("contact:sms:recommendations",), 0.28, ("web_form", "phone")),
    Ask(("contact:phone:recommendations",), 0.12, ("web_form", "phone")),
    Ask(("contact:post:recommendations",), 0.30, ("web_form", "paper")),
    Ask(("contact:post:newsletter",), 0.10, ("web_form", "paper")),
)

OBJECTED: Final = (
    *(scope for ask in ASKS for scope in ask.scopes if not scope.startswith("remember:")),
    "remember:responses",
    "use:responses:measurement",
)
"""What an objection reaches: all marketing, and what stands on a legitimate interest."""

FATES: Final = {
    "silent": 0.08,  # nothing on record
    "expired": 0.04,  # last word 25 to 30 months ago
    "object": 0.02,
    "withdraw all": 0.03,
    "withdraw e-mail": 0.07,
    "come back": 0.03,  # withdrew all, later granted it again
    "renew": 0.08,  # renewed before the shortest validity (13 months) was over
    "stay": 0.65,
}
"""What became of the first answers, and the share of customers; the shares sum to 1."""

_WORDED: Final = ("en", "de", "fr", "zh")
"""The languages of the shipped catalogue's words."""

_DAY: Final = 86_400_000  # milliseconds, as are all times below

Whole = npt.NDArray[np.int64]
Yes = npt.NDArray[np.bool_]


class _Batch(NamedTuple):
    """Many statements of one act: `customer` is the row in the population, `said_at` ms since 1970."""

    customer: Whole
    act: str
    scopes: npt.NDArray[np.str_]
    said_at: Whole
    method: npt.NDArray[np.str_]


def statements(customers: pa.Table, generator: np.random.Generator, *, at: datetime) -> pa.Table:
    """Make what the customers said before `at`: rows by customer, oldest first.

    Columns: reference, act, scopes (separated by a space), said_at (UTC, ms), method, language (of the words shown:
    the customer's own where the shipped ones are in it, else English), evidence. A form partly accepted is two
    statements, a grant and a refusal.
    """
    n = len(customers)
    now = int(at.timestamp() * 1000)
    form = generator.choice(EVERY, size=n, p=list(FORMS.values()))
    fate = generator.choice(list(FATES), size=n, p=list(FATES.values()))
    asked = np.array([np.isin(form, ask.forms) for ask in ASKS]).T
    asked &= (fate != "silent")[:, None]
    granted = asked & _accepted(n, generator)
    first = now - _ago(fate, generator)
    batches = [
        _batch("grant", granted, first, form),
        _batch("refuse", asked & ~granted, first, form),
        *_later(fate, granted, first, now=now, generator=generator),
    ]
    return _table(customers, batches)


def _accepted(n: int, generator: np.random.Generator) -> Yes:
    """Answers `(n, asks)`: some customers are more open than others, to everything."""
    share = np.array([ask.share for ask in ASKS])
    openness = generator.normal(0.0, 0.8, size=(n, 1))
    accepted: Yes = generator.logistic(size=(n, len(ASKS))) < np.log(share / (1 - share)) + openness
    return accepted


def _ago(fate: npt.NDArray[np.str_], generator: np.random.Generator) -> Whole:
    """How long ago the first answer was given; time is left for those who speak again."""
    low = np.select([fate == "expired", fate == "renew", fate == "stay"], [760, 420, 1], 60)
    high = np.where(fate == "expired", 912, 729)
    days = low + (high - low) * generator.random(len(fate))
    ago: Whole = (_DAY * days).astype(np.int64)
    return ago


def _later(
    fate: npt.NDArray[np.str_], granted: Yes, first: Whole, *, now: int, generator: np.random.Generator
) -> list[_Batch]:
    n = len(fate)

    def method(name: str) -> npt.NDArray[np.str_]:
        return np.full(n, name)

    def between(start: Whole, end: Whole | int) -> Whole:
        return start + 1000 + ((end - start - 2000) * generator.random(n)).astype(np.int64)

    second = between(first, now)
    third = between(second, now)
    renewed = first + 300 * _DAY + (90 * _DAY * generator.random(n)).astype(np.int64)
    email = np.array([ask.scopes[0].startswith("contact:email:") for ask in ASKS])
    left = np.isin(fate, ("withdraw all", "come back"))
    objecting: Whole = np.flatnonzero(fate == "object")
    return [
        _batch("withdraw", granted & left[:, None], second, method("web_form")),
        _batch("withdraw", granted & (fate == "withdraw e-mail")[:, None] & email, second, method("one_click")),
        _batch("grant", granted & (fate == "come back")[:, None], third, method("web_form")),
        _batch("renew", granted & (fate == "renew")[:, None], renewed, method("web_form")),
        _Batch(
            customer=objecting,
            act="object",
            scopes=np.full(len(objecting), " ".join(OBJECTED)),
            said_at=second[objecting],
            method=method("phone")[objecting],
        ),
    ]


def _batch(act: str, chosen: Yes, said_at: Whole, method: npt.NDArray[np.str_]) -> _Batch:
    """One statement for each customer who has an ask chosen; `chosen` is `(n_customers, asks)`."""
    customer: Whole = np.flatnonzero(chosen.any(axis=1))
    patterns, which = np.unique(chosen[customer] @ (1 << np.arange(len(ASKS))), return_inverse=True)
    texts = [" ".join(s for bit, ask in enumerate(ASKS) if code >> bit & 1 for s in ask.scopes) for code in patterns]
    scopes = np.array(texts, dtype=np.str_)[which]
    return _Batch(customer=customer, act=act, scopes=scopes, said_at=said_at[customer], method=method[customer])


def _table(customers: pa.Table, batches: list[_Batch]) -> pa.Table:
    customer: Whole = np.concatenate([batch.customer for batch in batches])
    said_at: Whole = np.concatenate([batch.said_at for batch in batches])
    order = np.lexsort((said_at, customer))  # stable: of one form, the grant stands before the refusal
    customer, said_at = customer[order], said_at[order]
    method = np.concatenate([batch.method for batch in batches])[order]
    act = np.repeat([batch.act for batch in batches], [len(batch.customer) for batch in batches])[order]
    own = customers["language"].to_numpy().astype(np.str_)[customer]
    number = np.char.mod(" %06d", np.arange(1, len(order) + 1))
    return pa.table(
        {
            "reference": customers["reference"].take(pa.array(customer)).combine_chunks(),
            "act": pa.array(act),
            "scopes": pa.array(np.concatenate([batch.scopes for batch in batches])[order]),
            "said_at": pa.array(said_at).cast(pa.timestamp("ms", tz="UTC")),
            "method": pa.array(method),
            "language": pa.array(np.where(np.isin(own, _WORDED), own, "en")),
            "evidence": pa.array(np.char.add(np.char.add("made-up ", method), number)),
        }
    )
