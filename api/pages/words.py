"""What customers read, in their language: one TOML file a language, in `texts`.

The wording of questions is not in there: it belongs to the catalogue, where it has versions and hashes.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

TEXTS: Final = Path(__file__).parent / "texts"
FIRST: Final = "en"
"""The language of whoever asks for none that we have."""


_SINGULAR: Final[Mapping[str, Callable[[float], bool]]] = {
    "one": lambda count: count == 1,
    "below two": lambda count: count < 2,  # noqa: PLR2004 -- as it is called
    "never": lambda _: False,
}
"""Of which numbers a language has its form for one."""


@dataclass(frozen=True, slots=True)
class Words:
    """All texts of one language, by section and key."""

    code: str
    texts: Mapping[str, Any]

    def say(self, section: str, key: str, **values: object) -> str:
        """Return one text with its {braces} filled in.

        >>> words("en").say("choices", "wording_version", version=3)
        'version 3'
        """
        return str(self.texts[section][key]).format(**values)

    def count(self, section: str, key: str, count: float, **values: object) -> str:
        """Return a text that counts something, in the form that the language has for so many: {n} is the count.

        Source: the plural rules of the Unicode CLDR for these languages, as far as they have two forms at most.

        >>> [words("en").count("choices", "days", n) for n in (0, 1, 2_000)]
        ['0 days', '1 day', '2,000 days']
        >>> [words("fr").count("choices", "days", n).split()[1] for n in (0, 1, 2)]
        ['jour', 'jour', 'jours']
        >>> words("zh").count("choices", "days", 1)
        '1天'
        """
        forms = self.texts[section][key]
        form = "one" if _SINGULAR[self.texts["singular"]](abs(count)) else "other"
        return str(forms[form]).format(**{"n": self.number(int(count)), **values})

    def date(self, at: datetime) -> str:
        """Return a day as it is written.

        >>> words("de").date(datetime(2026, 11, 21, tzinfo=UTC))
        '21. November 2026'
        """
        at = at.astimezone(UTC)
        return str(self.texts["date"]).format(day=at.day, month=self.texts["months"][at.month - 1], year=at.year)

    def moment(self, at: datetime) -> str:
        """Return a day and its time.

        >>> words("en").moment(datetime(2026, 11, 21, 10, 5, tzinfo=UTC))
        '21 November 2026, 10:05 UTC'
        """
        return str(self.texts["moment"]).format(date=self.date(at), time=f"{at.astimezone(UTC):%H:%M}")

    def number(self, count: int) -> str:
        """Return a whole number with its thousands set apart.

        >>> words("de").number(20000)
        '20.000'
        """
        return f"{count:,}".replace(",", self.texts["thousands"])

    def listed(self, parts: Iterable[str]) -> str:
        """Return several things as they are listed.

        >>> words("en").listed(["a", "b"]), words("zh").listed(["甲", "乙"])
        ('a, b', '甲、乙')
        """
        return str(self.texts["signs"]["list"]).join(parts)


@cache
def languages() -> Mapping[str, str]:
    """Return the name of each language that we have, by its code; the first language comes first.

    >>> languages()["en"], languages()["de"], languages()["fr"], languages()["zh"]
    ('English', 'Deutsch', 'Français', '简体中文')
    """
    codes = sorted((file.stem for file in TEXTS.glob("*.toml")), key=lambda code: (code != FIRST, code))
    return {code: str(words(code).texts["language"]) for code in codes}


@cache
def words(code: str) -> Words:
    """Return the texts of a language.

    Raises:
        FileNotFoundError: we don't have it.
    """
    return Words(code, tomllib.loads((TEXTS / f"{code}.toml").read_text(encoding="utf-8")))
