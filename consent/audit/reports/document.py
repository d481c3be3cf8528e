"""PURE: what a report is made of, whichever way it is written down: headings, paragraphs, facts, tables, notices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Tone = Literal["good", "bad", "gap"]
"""How a notice is meant; its words say the same, for colour alone tells nothing to many."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A few sentences."""

    text: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What must not be overlooked: a title, and lines."""

    tone: Tone
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings.

    Attributes:
        caption: what it shows.
        headings: one a column.
        rows: of as many cells as there are headings.
        widths: each column's share of the page.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...]


Block: TypeAlias = Heading | Paragraph | Notice | Facts | Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report, without a format."""

    title: str
    subtitle: str
    blocks: Sequence[Block]
    foot: str
    """One line that stands at the end, and on every page of paper."""
