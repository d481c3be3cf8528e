"""PURE: from the prefix of a telephone number to the countries that it may be in.

Only the country calling code is looked at. Codes that belong to no country (freephone, satellites, networks) give
none, and so does a number without its `+`: national numbers can't be told apart.
"""

import re
from functools import cache
from pathlib import Path
from typing import Final

_TABLE: Final = Path(__file__).with_name("calling_codes.tsv")
_NUMBER: Final = re.compile(r"\+[0-9]{7,15}")
_BETWEEN: Final = str.maketrans("", "", " \u00a0\u202f-./()")
_LONGEST: Final = 3


def countries_calling(number: str) -> tuple[str, ...]:
    """Return the countries (ISO 3166-1) that share the calling code of an international number (E.164).

    >>> countries_calling("+33 6 12 34 56 78"), countries_calling("+7 495 123-45-67"), countries_calling("0612345678")
    (('FR',), ('RU', 'KZ'), ())
    """
    plain = number.strip().translate(_BETWEEN)
    if not _NUMBER.fullmatch(plain):
        return ()
    codes = _codes()
    prefixes = (plain[1 : length + 1] for length in range(1, _LONGEST + 1))
    return next((codes[prefix] for prefix in prefixes if prefix in codes), ())


@cache
def _codes() -> dict[str, tuple[str, ...]]:
    """Read the table; no code is the beginning of another, so the first that fits is the one."""
    lines = _TABLE.read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines if line and not line.startswith("#"))
    return {code: tuple(countries.split(",")) for code, countries in rows}
