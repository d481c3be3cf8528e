"""What is wrong with a file, by line and column: the first hundred places, and how many more there are."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from consent.base.errors import ImportInvalid, Place

MOST_PLACES: Final = 100
"""How many wrong places are named; the others are counted."""


class _Fault(NamedTuple):
    line: int
    place: Place


@dataclass(slots=True)
class Faults:
    """What is wrong with one file: the first hundred places in the order of its lines, and how many more there are."""

    name: str
    word: str = "line"
    found: list[_Fault] = field(default_factory=list)
    named: list[Place] = field(default_factory=list)
    count: int = 0

    def cell(self, line: int, column: str, why: str) -> None:
        """Note a wrong cell."""
        self.found.append(_Fault(line, Place(f"{self.word} {line}, column {column}", why)))

    def row(self, line: int, why: str) -> None:
        """Note a wrong row."""
        self.found.append(_Fault(line, Place(f"{self.word} {line}", why)))

    def settle(self) -> None:
        """Put what was found since the last time into the order of lines, and keep what there is room for."""
        self.count += len(self.found)
        room = MOST_PLACES - len(self.named)
        if room and self.found:
            self.named.extend(fault.place for fault in sorted(self.found, key=lambda fault: fault.line)[:room])
        self.found.clear()

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
