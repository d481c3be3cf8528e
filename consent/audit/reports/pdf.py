r"""PURE: a document as PDF, for paper and files: its text can be searched and copied, its fonts are in it.

The same document gives the same bytes. A sign that the font doesn't have is written as its number (`\u4e2d`): the
HTML and JSON reports have it as it is.
"""

from collections.abc import Iterator
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import reportlab
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Paragraph as Written
from reportlab.platypus import SimpleDocTemplate, Spacer
from reportlab.platypus import Table as Grid
from reportlab.platypus.flowables import Flowable

from consent.audit.reports.document import Block, Document, Facts, Heading, Notice, Paragraph, Table

_FONTS: Final = Path(reportlab.__file__).parent / "fonts"
_PLAIN: Final = "Vera"
_BOLD: Final = "VeraBd"
_MARGIN: Final = 18 * mm
_WIDTH: Final = A4[0] - 2 * _MARGIN - 12
"""What a line has: a frame keeps six points free on each side."""

_TONES: Final = {
    "good": (colors.HexColor("#0f5f48"), colors.HexColor("#eaf4ef")),
    "bad": (colors.HexColor("#a3231c"), colors.HexColor("#fbe9e7")),
    "gap": (colors.HexColor("#7a4b00"), colors.HexColor("#fbf0d9")),
}
_LINE: Final = colors.HexColor("#c9c8bf")
_MUTED: Final = colors.HexColor("#4a544f")


def pdf(document: Document) -> bytes:
    """Return the document as PDF 1.4, on A4."""
    _fonts()
    written = BytesIO()
    paper = SimpleDocTemplate(
        written, pagesize=A4, leftMargin=_MARGIN, rightMargin=_MARGIN, topMargin=_MARGIN, bottomMargin=_MARGIN + 6 * mm,
        title=_plain(document.title), author="Byleave", subject=_plain(document.subtitle), lang="en",
        displayDocTitle=1, invariant=1,
    )  # fmt: skip
    story: list[Flowable] = [_text(document.title, size=18, bold=True), _text(document.subtitle, size=11, muted=True)]
    for block in document.blocks:
        story += _flowing(block)

    def foot(canvas: Any, _paper: object) -> None:  # noqa: ANN401 -- reportlab's canvas
        canvas.saveState()
        canvas.setFont(_PLAIN, 6)
        canvas.setFillColor(_MUTED)
        canvas.drawString(_MARGIN + 6, 12 * mm, _plain(document.foot)[:130])
        canvas.drawRightString(A4[0] - _MARGIN - 6, 8 * mm, f"Page {canvas.getPageNumber()}")
        canvas.restoreState()

    paper.build(story, onFirstPage=foot, onLaterPages=foot)
    return written.getvalue()


@cache
def _fonts() -> dict[int, int]:
    """Register the fonts that reportlab brings along; return the signs that the plain one has."""
    plain, bold = (TTFont(name, str(_FONTS / f"{name}.ttf")) for name in (_PLAIN, _BOLD))
    for each in (plain, bold):
        pdfmetrics.registerFont(each)
    known: dict[int, int] = plain.face.charToGlyph
    return known


def _plain(text: str) -> str:
    known = _fonts()
    return "".join(sign if ord(sign) in known or sign == "\n" else ascii(sign)[1:-1] for sign in text)


def _text(
    text: str,
    *,
    size: int = 9,
    bold: bool = False,
    muted: bool = False,
    after: float = 4,
    color: Any = None,  # noqa: ANN401 -- reportlab's colour
) -> Written:
    style = ParagraphStyle(
        "text", fontName=_BOLD if bold else _PLAIN, fontSize=size, leading=size * 1.35, spaceAfter=after,
        splitLongWords=1, textColor=color or (_MUTED if muted else colors.black), wordWrap="LTR",
    )  # fmt: skip
    return Written(escape(_plain(text)), style)


def _flowing(block: Block) -> Iterator[Flowable]:
    match block:
        case Heading(text):
            yield Spacer(1, 8)
            yield _text(text, size=13, bold=True)
        case Paragraph(text):
            yield _text(text)
        case Notice():
            yield from _notice(block)
        case Facts(rows):
            cells = [[_text(name, muted=True, after=0), _text(value, after=0)] for name, value in rows]
            yield Grid(cells, colWidths=[_WIDTH * 0.3, _WIDTH * 0.7], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])
        case Table():
            yield from _table(block)


def _notice(notice: Notice) -> Iterator[Flowable]:
    """Yield a notice as a box, its lines a row each: a long one goes on on the next page."""
    edge, ground = _TONES[notice.tone]
    rows = [[_text(notice.title, size=12, bold=True, color=edge, after=0)]]
    rows += [[_text(f"• {line}", after=0)] for line in notice.lines]
    box: list[Any] = [("BACKGROUND", (0, 0), (-1, -1), ground), ("LINEBEFORE", (0, 0), (0, -1), 4, edge),
           ("BOX", (0, 0), (-1, -1), 0.75, edge), ("LEFTPADDING", (0, 0), (-1, -1), 10)]  # fmt: skip
    yield Spacer(1, 4)
    yield Grid(rows, colWidths=[_WIDTH], style=box)
    yield Spacer(1, 6)


def _table(table: Table) -> Iterator[Flowable]:
    """Yield a table whose headings stand on each of its pages."""
    whole = sum(table.widths)
    heads = [_text(each, size=8, bold=True, after=0) for each in table.headings]
    rows = [[_text(cell, size=8, after=0) for cell in row] for row in table.rows]
    ruled: list[Any] = [("LINEBELOW", (0, 0), (-1, -1), 0.5, _LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"),
             ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 6)]  # fmt: skip
    yield _text(table.caption, bold=True)
    yield Grid([heads, *rows], colWidths=[_WIDTH * each / whole for each in table.widths], repeatRows=1, style=ruled)
