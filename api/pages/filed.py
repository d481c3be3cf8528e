"""PURE: a customer's file as tables: every row a claim, with the ledger entry that it stands on."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.pages import present

MOST: Final = 200
"""Rows of a section on the page; all of them stand in the file's JSON."""

_FEW: Final = 3
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One claim: its cells, and the entries that it stands on."""

    cells: tuple[str, ...]
    entries: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One section. `more` says how many rows the page leaves out, if it does."""

    key: str
    title: str
    meaning: str
    headings: tuple[str, ...]
    lines: tuple[Line, ...]
    empty: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    meaning: str
    headings: tuple[str, ...]
    cells: Callable[[Row], tuple[str, ...]]
    empty: str


def tables(sections: Iterable[tuple[str, Iterable[Row]]]) -> list[Table]:
    """Return the sections of a file as tables."""
    return [_table(key, list(rows)) for key, rows in sections if key in _SECTIONS]


def _table(key: str, rows: list[Row]) -> Table:
    section = _SECTIONS[key]
    left = len(rows) - MOST
    return Table(
        key=key,
        title=section.title,
        meaning=section.meaning,
        headings=section.headings,
        lines=tuple(Line(cells=section.cells(row), entries=_entries(row)) for row in rows[:MOST]),
        empty=section.empty,
        more=f"{present.counted(left, 'more row')} in the JSON" if left > 0 else "",
    )


def _entries(row: Row) -> str:
    """Return the positions that a row stands on; where no entry tells of it, how long the ledger was, if known."""
    named = [f"{each:,}" for each in row.get("entries", [row.get("position")]) if each is not None]
    if named:
        return ", ".join(named)
    steps = [f"{step['position']:,}" for step in row.get("steps", ())]
    if steps:
        return ", ".join(steps)
    return f"at {row['judged_at']:,}" if row.get("judged_at") is not None else "none"


def _moment(text: str) -> str:
    return present.moment(datetime.fromisoformat(text)) if text else ""


def _permission(row: Row) -> tuple[str, ...]:
    verdict = "Permitted" if row["permit"] else row["reason"].replace("_", " ").capitalize()
    return (row["scope"], verdict, row["legal_basis"].replace("_", " ").capitalize())


def _statement(row: Row) -> tuple[str, ...]:
    notices = [f"{each['notice']} {each['version']} ({each['language']})" for each in row["notices"]]
    shown = present.listed(notices) if len(notices) <= _FEW else f"{len(notices)} wordings, which stand below"
    return (
        _moment(row["said_at"]), row["act"].capitalize(), present.listed(row.get("scopes", [])) or "everything",
        f"{row['method'].replace('_', ' ')}, noted by {row['by']}", shown or "none",
    )  # fmt: skip


def _decision(row: Row) -> tuple[str, ...]:
    return (
        _moment(row["at"]), row["campaign"], row["chosen"] or "left alone",
        present.listed(row["categories_used"]) or "nothing", row["explanation"] or "can't be explained any more",
    )  # fmt: skip


def _contact(row: Row) -> tuple[str, ...]:
    return (
        _moment(row["at"]),
        row["channel"],
        row["campaign"],
        row["treatment"],
        row["status"],
        present.short(row["decision"]),
    )


def _use(row: Row) -> tuple[str, ...]:
    return (
        _moment(row["at"]), row["by"], row["purpose"], present.listed(row["categories"]) or "nothing",
        row["reason"] or f"decision {present.short(row['decision'])}",
    )  # fmt: skip


def _request(row: Row) -> tuple[str, ...]:
    return (
        row["kind"].capitalize(), _moment(row["received_at"]), _moment(row["due_at"]),
        (row["outcome"] or row["state"]).replace("_", " ").capitalize(), row["owner"] or "nobody",
    )  # fmt: skip


def _notice(row: Row) -> tuple[str, ...]:
    return (f"{row['notice']} {row['version']}", row["language"], row["text"], f"{row['sha256'][:16]}…")


_SECTIONS: Final[Mapping[str, _Section]] = {
    "permissions": _Section(
        title="What stood",
        meaning="Each scope of the catalogue in force then, judged by the entries recorded by then.",
        headings=("Scope", "Verdict", "Legal basis"),
        cells=_permission,
        empty="No catalogue was in force then.",
    ),
    "statements": _Section(
        title="What he said",
        meaning="Each statement as its entry commits to it.",
        headings=("Said", "Act", "Scopes", "How", "Wording shown"),
        cells=_statement,
        empty="He had said nothing by then.",
    ),
    "notices": _Section(
        title="Wordings that he was shown",
        meaning="Word for word, with the hash of its bytes, which stands whole in the JSON.",
        headings=("Notice", "Language", "Wording", "SHA-256"),
        cells=_notice,
        empty="He had been shown no wording by then.",
    ),
    "decisions": _Section(
        title="What was decided for him",
        meaning="Each decision, with the entry that commits to it.",
        headings=("At", "Campaign", "Chosen", "Used", "Why"),
        cells=_decision,
        empty="Nothing had been decided for him by then.",
    ),
    "contacts": _Section(
        title="Contacts",
        meaning="When he was reached. A ghost is a contact that he was left out of by chance.",
        headings=("At", "Channel", "Campaign", "Treatment", "Status", "Decision"),
        cells=_contact,
        empty="Nobody had contacted him by then.",
    ),
    "uses": _Section(
        title="Who used his data",
        meaning="Uses of his data alone. What a run used stands with its decisions.",
        headings=("At", "Who", "What for", "Categories", "Why"),
        cells=_use,
        empty="No use of his data alone had been recorded by then.",
    ),
    "requests": _Section(
        title="Requests",
        meaning="What he asked for by right, and how it stood then.",
        headings=("Kind", "Came in", "Due", "Stood", "Owner"),
        cells=_request,
        empty="He had asked for nothing by then.",
    ),
    "kept": _Section(
        title="Kept since before",
        meaning="Categories in which something is kept now, unchanged since. It stays sealed; no entry tells of it.",
        headings=("Category", "Since"),
        cells=lambda row: (row["category"], _moment(row["since"])),
        empty="Nothing that is kept now is as old.",
    ),
}
