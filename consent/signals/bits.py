"""Bits in base64url: whole numbers, times, letters, sets and ranges of ids, read from left to right.

A reader knows the segment it reads and names it with the field in every error. Sets are kept as one whole number, a
bit an id: a string of a hundred characters may name sixty-five thousand vendors.

Source:
    IAB Tech Lab, Transparency and Consent String with Global Vendor & CMP List Formats, v2.3 (2025);
    Global Privacy Platform, Consent String Specification 1.0, "Section Encoding".
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from consent.base.clock import EPOCH
from consent.base.errors import Place, SignalInvalid

LONGEST: Final = 100_000
"""Characters of a string: a dozen times what all vendors of the world take."""

_SIGNS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BITS: Final = {ord(sign): f"{number:06b}" for number, sign in enumerate(_SIGNS)}
_WHOLE_STRING: Final = frozenset(_SIGNS)
_PADDING: Final = 24
"""More zeros than this, less one, can't be padding: encoders fill up to whole bytes, signs, or groups of both."""

_TENTH: Final = timedelta(milliseconds=100)
_FIRST_LETTER: Final = ord("A")
_LETTERS: Final = 26
GREATEST_ID: Final = 65_535
_MOST_FIBONACCI: Final = 24
"""Bits of a Fibonacci number that can still be an id."""


@dataclass(frozen=True, slots=True)
class Ids:
    """A set of ids (purposes, vendors, …) from 1 to 65,535, as a bit each: bit 0 is never set.

    >>> 3 in Ids.of(1, 3), list(Ids.of(3, 1)), len(Ids.of(1, 3)), bool(Ids())
    (True, [1, 3], 2, False)
    """

    mask: int = 0

    @classmethod
    def of(cls, *ids: int) -> "Ids":
        """Return the set of these ids."""
        mask = 0
        for each in ids:
            mask |= 1 << each
        return cls(mask)

    def __contains__(self, one: int) -> bool:
        """Say whether an id is in the set."""
        return one > 0 and bool(self.mask >> one & 1)

    def __iter__(self) -> Iterator[int]:
        """Walk the ids, ascending."""
        digits = f"{self.mask:b}"[::-1]
        spot = digits.find("1")
        while spot >= 0:
            yield spot
            spot = digits.find("1", spot + 1)

    def __len__(self) -> int:
        """Return how many there are."""
        return self.mask.bit_count()

    def __bool__(self) -> bool:
        """Say whether there is any."""
        return self.mask != 0


def refusal(where: str, why: str) -> SignalInvalid:
    """Return the error that names one place of a string."""
    return SignalInvalid(places=[Place(where, why)])


def short_enough(text: str, what: str) -> str:
    """Return a string that isn't absurdly long.

    Raises:
        SignalInvalid: it is.
    """
    if len(text) > LONGEST:
        raise refusal(what, f"has more than {LONGEST:,} characters")
    return text


class Bits:
    """The bits of one segment, and how far they are read."""

    __slots__ = ("_bits", "_spot", "segment")

    def __init__(self, text: str, segment: str) -> None:
        """Take a segment in base64url without padding.

        Raises:
            SignalInvalid: it is empty, or has another sign.
        """
        if not text:
            raise refusal(segment, "is empty")
        if not _WHOLE_STRING.issuperset(text):
            spot = next(spot for spot, sign in enumerate(text) if sign not in _WHOLE_STRING)
            raise refusal(segment, f"character {spot + 1} is none of base64url (A-Z, a-z, 0-9, - and _)")
        self._bits = text.translate(_BITS)
        self._spot = 0
        self.segment = segment

    def wrong(self, field: str, why: str) -> SignalInvalid:
        """Return the error that names a field of this segment."""
        return refusal(f"{self.segment}, {field}", why)

    def _take(self, count: int, field: str) -> str:
        bits = self._bits[self._spot : self._spot + count]
        if len(bits) < count:
            raise self.wrong(field, f"the string ends too early, bits missing: {count - len(bits):,}")
        self._spot += count
        return bits

    def whole(self, count: int, field: str) -> int:
        """Read a whole number of so many bits.

        >>> Bits("DBAB", "header").whole(6, "type")
        3
        """
        return int(self._take(count, field), 2)

    def flag(self, field: str) -> bool:
        """Read one bit."""
        return self._take(1, field) == "1"

    def time(self, field: str) -> datetime:
        """Read 36 bits of tenths of a second since 1970."""
        try:
            return EPOCH + self.whole(36, field) * _TENTH
        except OverflowError as late:
            raise self.wrong(field, "is a time after the year 9999") from late

    def letters(self, field: str) -> str:
        """Read two letters of six bits each."""
        numbers = [self.whole(6, field) for _ in range(2)]
        if max(numbers) >= _LETTERS:
            raise self.wrong(field, "is not two letters")
        return "".join(chr(_FIRST_LETTER + number) for number in numbers)

    def numbers(self, count: int, width: int, field: str) -> tuple[int, ...]:
        """Read a list of whole numbers of `width` bits."""
        return tuple(self.whole(width, field) for _ in range(count))

    def ids(self, count: int, field: str) -> Ids:
        """Read a bit field: the first bit stands for id 1."""
        return Ids(int("0" + self._take(count, field)[::-1], 2) << 1)

    def vendors(self, field: str) -> Ids:
        """Read vendors: the greatest id, then a bit field, or a list of ranges (TCF's own form)."""
        greatest = self.whole(16, field)
        return self.ranges(field, greatest) if self.flag(field) else self.ids(greatest, field)

    def ranges(self, field: str, greatest: int = GREATEST_ID) -> Ids:
        """Read a list of single ids and ranges, up to the greatest id."""
        mask = 0
        for number in range(1, self.whole(12, field) + 1):
            several = self.flag(field)
            first = self.whole(16, field)
            last = self.whole(16, field) if several else first
            if not 0 < first <= last <= greatest:
                raise self.wrong(
                    field, f"range {number} runs from {first} to {last}, where 1 to {greatest} is possible"
                )
            mask |= ((1 << (last - first + 1)) - 1) << first
        return Ids(mask)

    def fibonacci_ranges(self, field: str) -> Ids:
        """Read a list of ascending single ids and ranges as differences in Fibonacci coding (GPP's own form)."""
        mask = last = 0
        for number in range(1, self.whole(12, field) + 1):
            several = self.flag(field)
            first = last + self._fibonacci(field)
            last = first + self._fibonacci(field) if several else first
            if last > GREATEST_ID:
                raise self.wrong(
                    field, f"range {number} runs from {first} to {last}, where 1 to {GREATEST_ID} is possible"
                )
            mask |= ((1 << (last - first + 1)) - 1) << first
        return Ids(mask)

    def _fibonacci(self, field: str) -> int:
        """Read one whole number in Fibonacci coding: it ends with the first two ones in a row."""
        end = self._bits.find("11", self._spot, self._spot + _MOST_FIBONACCI)
        if end < 0:
            left = len(self._bits) - self._spot
            why = "the string ends within a number" if left < _MOST_FIBONACCI else "is beyond any id"
            raise self.wrong(field, f"{why} in Fibonacci coding")
        bits = self._take(end + 1 - self._spot, field)
        self._spot += 1  # the second one only ends the number
        value, this, following = 0, 1, 2
        for bit in bits:
            value += this * (bit == "1")
            this, following = following, this + following
        return value

    def end(self) -> None:
        """Make sure that nothing but padding is left.

        Raises:
            SignalInvalid: more is left: the string is of a version that isn't known here, or broken.
        """
        rest = self._bits[self._spot :]
        if len(rest) >= _PADDING or "1" in rest:
            raise refusal(self.segment, f"has bits after its last field: {len(rest):,}")
