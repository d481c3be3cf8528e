"""USE CASE: what a customer is told now. Whatever his wording reads is opened for him alone, once it is chosen."""

from dataclasses import replace
from datetime import datetime

import pyarrow as pa

from consent import gate
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.gate import Permits
from consent.register.desk import Desk
from consent.uses import Use
from personalise import moment
from personalise.content.wording import Said
from personalise.runs.chunk import Decided
from personalise.steps.personalise import words
from personalise.steps.personalise.policy import Candidate, Policy


def worded(desk: Desk, work: Work, made: Decided, policy: Policy, *, use: Use) -> Decided:
    """Return decisions with the wordings that stand, of who is answered at once; the use is written down."""
    names = words.wanted(made.table, policy)
    columns = made.inputs
    for name, column in _opened(desk, work, made.permitted, policy, names=names, use=use).items():
        columns = columns.append_column(f"{words.OF_CONTENT}{name}", column)
    return replace(made, table=words.worded(made.table, columns, policy), inputs=columns)


def said(made: Decided, policy: Policy, spot: int) -> Said | None:
    """Return what the customer at a place of a chunk is told; None where he is left alone."""
    number = made.table["chosen"][spot].as_py()
    if number < 0:
        return None
    one = policy.candidates[number]
    return words.said(one, words.values(one, made.inputs, spot))


def said_again(
    desk: Desk, work: Work, customer: CustomerId, policy: Policy, one: Candidate, *, use: Use, at: datetime
) -> Said:
    """Return what a customer is told who was given his own wording before: of what he permits, and what is so, now."""
    permitted = moment.permits(desk, work, [customer], policy, at=at)
    if not all(permitted.permitted(scope)[0] for scope in one.wording_uses):
        return words.said(one, None)
    names = one.treatment.wording.attributes
    opened = _opened(desk, work, permitted, policy, names=names, use=use)
    columns = {f"{words.OF_CONTENT}{name}": column for name, column in opened.items()}
    columns |= {f"permit:{scope}": pa.array([0], type=pa.uint8()) for scope in one.wording_uses}
    return words.said(one, words.values(one, pa.table(columns), 0))


def _opened(
    desk: Desk, work: Work, permitted: Permits, policy: Policy, *, names: tuple[str, ...], use: Use
) -> dict[str, pa.ChunkedArray]:
    """Open what wordings read; nothing, where the catalogue in force has no such attribute, or one of another type."""
    asked, known = policy.catalogue.attributes, permitted.catalogue.attributes
    if not names or any(name not in known or known[name].type != asked[name].type for name in names):
        return {}
    facts = gate.recall(desk, work, permitted, attributes=names, use=use)
    return {name: facts[name] for name in names}
