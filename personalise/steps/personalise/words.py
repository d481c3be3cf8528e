"""What a decision says: the chosen treatment's own wording where all that it reads is permitted and known.

The funnel refuses nobody for his wording's sake. What a wording reads is opened only once its treatment is chosen, for
whom it is rendered at once; it stands in the chunk as `content:<attribute>`, and a decision made from it says so.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from consent.permission.verdict import Reason
from personalise.content.wording import Said
from personalise.steps.personalise.policy import Candidate, Policy

WORDING: Final = "wording"
"""The column that says which wording stands: 1 for the treatment's own, made of the customer's values, else 0."""

OF_CONTENT: Final = "content:"


def wanted(decided: pa.Table, policy: Policy) -> tuple[str, ...]:
    """Return the attributes that the chosen treatments' wordings read, where every use that they take is permitted."""
    names: set[str] = set()
    for spot, number in enumerate(np.asarray(decided["chosen"]).tolist()):
        if number >= 0 and _permitted(policy.candidates[number], decided, spot):
            names.update(policy.candidates[number].treatment.wording.attributes)
    return tuple(sorted(names))


def worded(decided: pa.Table, chunk: pa.Table, policy: Policy) -> pa.Table:
    """Return the decisions with `wording`, and what was read for it among `used`; as they are, where nothing was.

    Args:
        decided: what the funnel gave.
        chunk: what it was given, with a column `content:<attribute>` for each of `wanted`.
        policy: what decides.
    """
    if not any(name.startswith(OF_CONTENT) for name in chunk.column_names):
        return decided
    used = np.asarray(decided["used"]).copy()
    wording = np.zeros(decided.num_rows, dtype=np.uint8)
    for spot, number in enumerate(np.asarray(decided["chosen"]).tolist()):  # only who is answered at once comes here
        one = policy.candidates[number] if number >= 0 else None
        read = values(one, chunk, spot) if one else None
        if one and read is not None:
            used[spot] |= sum(1 << policy.categories.index(key) for key in one.wording_categories)
            wording[spot] = one.treatment.wording.said(read).personal
    place = decided.column_names.index("used")
    return decided.set_column(place, "used", pa.array(used)).append_column(WORDING, pa.array(wording))


def values(one: Candidate, chunk: pa.Table, spot: int) -> dict[str, Any] | None:
    """Return what a wording reads of a customer, times in ms; None where it may not, or nothing was opened for it."""
    names = {name: f"{OF_CONTENT}{name}" for name in one.treatment.wording.attributes}
    if not names or not set(names.values()) <= set(chunk.column_names) or not _permitted(one, chunk, spot):
        return None
    return {name: _value(chunk[column], spot) for name, column in names.items()}


def said(one: Candidate, read: Mapping[str, Any] | None) -> Said:
    """Return what a treatment says, given what was read for it (None: nothing)."""
    wording = one.treatment.wording
    return wording.impersonal() if read is None else wording.said(read)


def _permitted(one: Candidate, table: pa.Table, spot: int) -> bool:
    return all(table[f"permit:{scope}"][spot].as_py() == Reason.PERMIT for scope in one.wording_uses)


def _value(column: pa.ChunkedArray, spot: int) -> Any:  # noqa: ANN401 -- of whatever type the attribute is
    cell = column[spot]
    return (cell.cast(pa.int64()) if pa.types.is_timestamp(column.type) else cell).as_py()
