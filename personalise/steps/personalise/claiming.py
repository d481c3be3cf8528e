"""PURE: what customers of one chunk claim of a campaign's quotas, and who of them stands behind a cut."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.quotas import Claims, behind, kinds_of, together
from personalise.steps.personalise.refusals import Mask, Numbering, Refusals, first

CUT: Sequence[str] = ("cut_worth", "cut_last", "cut_customer", "cut_treatment")
"""The columns that say where a quota's cut is, `:<key>` after each."""

Floats: TypeAlias = NDArray[np.float64]


class Claiming:
    """One chunk under the quotas of its policy. `control` says who is held out, (n_customers,)."""

    def __init__(self, chunk: pa.Table, policy: Policy, control: Mask) -> None:
        """Keep what is claimed by."""
        self._chunk = chunk
        self._policy = policy
        self._control = control
        self.judged = tuple(each for each in policy.quotas if f"cut_worth:{each.key}" in chunk.column_names)
        """Those of which it is known who gets something; decisions from before there were quotas know none."""

    @cached_property
    def last(self) -> NDArray[np.int64]:
        """When each customer was last contacted (ms), 0 for never; of controls, when they would have been."""
        real, ghost = (np.asarray(self._chunk[name]) for name in ("last_contact", "last_ghost"))
        return np.where(self._control, ghost, real)

    @cached_property
    def _ids(self) -> NDArray[np.bytes_]:
        return _texts(self._chunk["customer"])

    def full(self, contends: Mask, worths: Sequence[Floats], rules: Numbering) -> Refusals:
        """Return by which quota each candidate that contends finds no room: (n_candidates, n_customers)."""
        full: Refusals = np.full(contends.shape, rules.none, dtype=rules.kind)
        for quota in self.judged:
            worth, last, customer, treatment = (self._chunk[f"{name}:{quota.key}"] for name in CUT)
            cut = (np.asarray(worth), np.asarray(last), _texts(customer), np.asarray(treatment))
            for row, one in enumerate(self._policy.candidates):
                if one.key in quota.treatments:
                    out = contends[row] & behind((worths[row], self.last, self._ids, row), cut)
                    full[row] = first(full[row], rules.by(quota.key, out), none=rules.none)
        return full

    @cached_property
    def ties(self) -> list[Mask]:
        """Whether a candidate that is worth just what a quota ends at finds no room: a mask a quota and candidate."""
        return [behind((0.0, self.last, self._ids, row), (0.0, *rest)) for _, rest, row in self._cuts]

    def with_room(self, row: int, worths: Floats, who: Any) -> Floats:  # noqa: ANN401 -- an index
        """Return what a candidate may be worth to a customer, rising, with nothing for what would find no room."""
        for tie, (worth, _, candidate) in zip(self.ties, self._cuts, strict=True):
            if candidate == row:
                out = worths <= worth[who] if tie[who] else worths < worth[who]
                worths = np.where(out, -np.inf, worths)
        return worths

    @cached_property
    def _cuts(self) -> list[tuple[Floats, tuple[Any, ...], int]]:
        """Of each quota and candidate in it: the worth that it ends at, the rest of that place, and the candidate."""
        found = []
        for quota in self.judged:
            worth, last, customer, treatment = (self._chunk[f"{name}:{quota.key}"] for name in CUT)
            rest = (np.asarray(last), _texts(customer), np.asarray(treatment))
            rows = [row for row, one in enumerate(self._policy.candidates) if one.key in quota.treatments]
            found += [(np.asarray(worth), rest, row) for row in rows]
        return found

    def claims(self, contends: Mask, worths: Sequence[Floats], charges: Sequence[NDArray[np.int64]] | None) -> Claims:
        """Return what each customer would get if there were room in every quota, a treatment of each kind.

        Behind what he would rather have, and of which there is no end, he claims nothing.
        """
        offered = np.where(contends, np.stack(worths), 0.0)
        rows: dict[tuple[Any, ...], list[int]] = {kind: [] for kind in ((), *self._policy.kinds)}
        for row, kind in enumerate(kinds_of(self._policy.quotas, [one.key for one in self._policy.candidates])):
            rows[kind].append(row)
        free, free_row = _best(offered, rows.pop(()))
        found = []
        for number, some in enumerate(rows.values()):
            worth, treatment = _best(offered, some)
            who = np.flatnonzero((worth > free) | ((worth == free) & (worth > 0) & (treatment < free_row)))
            chosen = treatment[who]
            found.append(
                Claims(
                    kind=np.full(len(who), number, dtype=np.int16), worth=worth[who], last=self.last[who],
                    customer=self._ids[who], treatment=chosen,
                    charge=np.stack(charges)[chosen, who] if charges else np.zeros(len(who), dtype=np.int64),
                    free=self._control[who],
                )
            )  # fmt: skip
        return together(found)


def _texts(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    return np.array(column.to_pylist(), dtype=np.bytes_)


def _best(offered: Floats, rows: Sequence[int]) -> tuple[Floats, NDArray[np.int16]]:
    """Return the best of some candidates for each customer, 0 for none, and which one it is: of equals the first."""
    if not rows:
        return np.zeros(offered.shape[1]), np.zeros(offered.shape[1], dtype=np.int16)
    some = offered[list(rows)]
    return some.max(axis=0), np.array(rows, dtype=np.int16)[some.argmax(axis=0)]
