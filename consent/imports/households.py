"""PURE: the column that says who lives with whom: whoever has the same in it is in one household."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from consent.imports.faults import Faults
from consent.imports.rows import Chunk
from consent.register.households import LONGEST_NAME, MOST_MEMBERS


class HouseholdReader:
    """Reads the names of households, chunk after chunk. Keeps 16 bytes a row, not the names; no error quotes one."""

    def __init__(self, column: str) -> None:
        """Take the column; "" where the file has none."""
        self._column = column
        self._hashes: list[NDArray[np.int64]] = []
        self._lines: list[NDArray[np.int64]] = []

    def names(self, chunk: Chunk) -> Sequence[str]:
        """Return a name a row; "" where nothing is said."""
        return [cell.strip() for cell in chunk.columns[self._column]] if self._column else [""] * len(chunk.rows)

    def see(self, chunk: Chunk, faults: Faults) -> None:
        """Look at the names of a chunk, noting those that can't be one."""
        names = self.names(chunk)
        for line, name in zip(chunk.lines, names, strict=True):
            if len(name) > LONGEST_NAME:
                faults.cell(line, self._column, f"has more than {LONGEST_NAME} characters")
        there = np.fromiter(map(bool, names), dtype=np.bool_, count=len(names))
        self._hashes.append(np.fromiter(map(hash, names), dtype=np.int64, count=len(names))[there])
        self._lines.append(np.asarray(chunk.lines, dtype=np.int64)[there])

    def note_crowded(self, faults: Faults) -> None:
        """Note each household that is too large, where it becomes so."""
        hashes = np.concatenate(self._hashes) if self._hashes else np.empty(0, dtype=np.int64)
        _, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        for crowded in np.flatnonzero(counts > MOST_MEMBERS).tolist():
            line = np.concatenate(self._lines)[np.flatnonzero(which == crowded)[MOST_MEMBERS]]
            why = f"names a household of more than {MOST_MEMBERS} customers: is that what the column is?"
            faults.cell(int(line), self._column, why)
