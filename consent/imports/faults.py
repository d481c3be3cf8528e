"""What is wrong with a file, by line and column: the first hundred places, and how many more there are."""

from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias

from consent.base.errors import ImportInvalid, Place

Details: TypeAlias = Callable[[Mapping[str, Any]], None]
"""Told of one row at a time, as the line of a JSON Lines file: its place comes first."""

MOST_PLACES: Final = 100
"""How many wrong places are named; the others are counted."""


class _Fault(NamedTuple):
    line: int
    column: str
    why: str


@dataclass(slots=True)
class Faults:
    """What is wrong with one file: the first hundred places in the order of its lines, and how many more there are.

    `details` is told of each, however many there are.
    """

    name: str
    word: str = "line"
    details: Details | None = None
    found: list[_Fault] = field(default_factory=list)
    named: list[Place] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("q"))
    """The lines with something wrong: eight bytes each; a line may stand here twice."""
    count: int = 0

    def cell(self, line: int, column: str, why: str) -> None:
        """Note a wrong cell."""
        self.found.append(_Fault(line, column, why))

    def row(self, line: int, why: str) -> None:
        """Note a wrong row."""
        self.found.append(_Fault(line, "", why))

    def settle(self) -> None:
        """Put what was found since the last time into the order of lines, and keep what there is room for."""
        if not self.found:
            return
        self.count += len(self.found)
        self.found.sort(key=lambda fault: fault.line)
        self.lines.extend(fault.line for fault in self.found)
        room = MOST_PLACES - len(self.named)
        self.named.extend(self._place(fault) for fault in self.found[:room])
        for fault in self.found if self.details else ():
            self._tell(fault)
        self.found.clear()

    def _place(self, fault: _Fault) -> Place:
        where = f"{self.word} {fault.line}"
        return Place(f"{where}, column {fault.column}" if fault.column else where, fault.why)

    def _tell(self, fault: _Fault) -> None:
        if self.details:
            column = {"column": fault.column} if fault.column else {}
            self.details({"line": fault.line, **column, "wrong": fault.why})

    def fatal(self, line: int, why: str) -> NoReturn:
        """Stop: what comes after this line can't be read."""
        self.row(line, why)
        self.check()
        raise AssertionError  # pragma: no cover -- a fault was noted the line before

    def check(self) -> None:
        """Raise if anything is wrong.

        Raises:
            ImportInvalid: with the first hundred places, and how many more there are.
        """
        self.settle()
        if not self.count:
            return
        more = self.count - len(self.named)
        places = [*self.named, Place("further on", f"and {more:,} more")] if more else self.named
        many = f"{self.count:,} places are wrong" if self.count > 1 else "one place is wrong"
        raise ImportInvalid(f"{many} in {self.name}; nothing of it was brought in", places=places)
