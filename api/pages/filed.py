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


Cell = Callable[[Row], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    title: str
    meaning: str
    columns: Mapping[str, Cell]
    """Heading → what stands under it of a row."""
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
        headings=tuple(section.columns),
        lines=tuple(
            Line(cells=tuple(cell(row) for cell in section.columns.values()), entries=_entries(row))
            for row in rows[:MOST]
        ),
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


def _at(name: str) -> Cell:
    return lambda row: _moment(row[name])


def _of(name: str, empty: str = "") -> Cell:
    return lambda row: str(row[name] or empty)


def _words(name: str) -> Cell:
    """Return the cell of a word that stands with underscores in the data."""
    return lambda row: str(row[name]).replace("_", " ").capitalize()


def _all(name: str, empty: str = "nothing") -> Cell:
    return lambda row: present.listed(row.get(name, [])) or empty


def _decision(row: Row) -> str:
    return present.short(row["decision"]) if row["decision"] else ""


def _verdict(row: Row) -> str:
    return "Permitted" if row["permit"] else _words("reason")(row)


def _how(row: Row) -> str:
    return f"{row['method'].replace('_', ' ')}, noted by {row['by']}"


def _wordings(row: Row) -> str:
    notices = [f"{each['notice']} {each['version']} ({each['language']})" for each in row["notices"]]
    shown = present.listed(notices) if len(notices) <= _FEW else f"{len(notices)} wordings, which stand below"
    return shown or "none"


def _points(name: str) -> Cell:
    return lambda row: f"{row[name]:,.3f}".rstrip("0").rstrip(".").replace("-", "−")


def _terms(row: Row) -> str:
    if row["terms"] is None:
        return "can't be read any more"
    return "; ".join(f"{name.replace('_', ' ')}: {term}" for name, term in row["terms"].items()) or "no terms"


def _wish(row: Row) -> str:
    if row["quiet"]:
        where = f", by the clock of {row['zone']}" if row.get("zone") else ""
        return "quiet from {} until {}".format(*row["quiet"]) + where
    return f"at most {present.counted(row['most'], 'contact')} in {present.counted(row['days'], 'day')}"


_SECTIONS: Final[Mapping[str, _Section]] = {
    "permissions": _Section(
        title="What stood",
        meaning="Each scope of the catalogue in force then, judged by the entries recorded by then.",
        columns={"Scope": _of("scope"), "Verdict": _verdict, "Legal basis": _words("legal_basis")},
        empty="No catalogue was in force then.",
    ),
    "statements": _Section(
        title="What he said",
        meaning="Each statement as its entry commits to it.",
        columns={
            "Said": _at("said_at"),
            "Act": _words("act"),
            "Scopes": _all("scopes", "everything"),
            "How": _how,
            "Wording shown": _wordings,
        },
        empty="He had said nothing by then.",
    ),
    "notices": _Section(
        title="Wordings that he was shown",
        meaning="Word for word, with the hash of its bytes, which stands whole in the JSON.",
        columns={
            "Notice": lambda row: f"{row['notice']} {row['version']}",
            "Language": _of("language"),
            "Wording": _of("text"),
            "SHA-256": lambda row: f"{row['sha256'][:16]}…",
        },
        empty="He had been shown no wording by then.",
    ),
    "decisions": _Section(
        title="What was decided for him",
        meaning="Each decision, with the entry that commits to it.",
        columns={
            "At": _at("at"),
            "Campaign": _of("campaign"),
            "Chosen": _of("chosen", "left alone"),
            "Used": _all("categories_used"),
            "Why": _of("explanation", "can't be explained any more"),
        },
        empty="Nothing had been decided for him by then.",
    ),
    "contacts": _Section(
        title="Contacts",
        meaning="When he was reached. A ghost is a contact that he was left out of by chance.",
        columns={
            "At": _at("at"),
            "Channel": _of("channel"),
            "Campaign": _of("campaign"),
            "Treatment": _of("treatment"),
            "Status": _of("status"),
            "Decision": _decision,
        },
        empty="Nobody had contacted him by then.",
    ),
    "goodwill": _Section(
        title="Goodwill",
        meaning="His account, in points: what contacts took from it, and what he started or a kept word gave back.",
        columns={
            "At": _at("at"),
            "For": _words("kind"),
            "Amount": _points("amount"),
            "Balance": _points("balance"),
            "Decision": _decision,
        },
        empty="Nothing had been booked by then.",
    ),
    "commitments": _Section(
        title="Terms that he was promised",
        meaning="The newest of each family of offers, with the entry of the decision that promised it.",
        columns={
            "Since": _at("at"),
            "Until": _at("until"),
            "Family": _of("family"),
            "Offer": _of("offer"),
            "Terms": _terms,
        },
        empty="Nothing that was promised by then is on record.",
    ),
    "wishes": _Section(
        title="How often and when he wants to be contacted",
        meaning="What stands now and was said by then. What it was before, its entries in the ledger say.",
        columns={
            "Said": _at("at"),
            "Channel": lambda row: "" if row["quiet"] else row["channel"] or "all together",
            "Wish": _wish,
        },
        empty="No wish that stands now is as old.",
    ),
    "uses": _Section(
        title="Who used his data",
        meaning="Uses of his data alone. What a run used stands with its decisions.",
        columns={
            "At": _at("at"),
            "Who": _of("by"),
            "What for": _of("purpose"),
            "Categories": _all("categories"),
            "Why": lambda row: row["reason"] or f"decision {present.short(row['decision'])}",
        },
        empty="No use of his data alone had been recorded by then.",
    ),
    "requests": _Section(
        title="Requests",
        meaning="What he asked for by right, and how it stood then.",
        columns={
            "Kind": _words("kind"),
            "Came in": _at("received_at"),
            "Due": _at("due_at"),
            "Stood": lambda row: _words("outcome" if row["outcome"] else "state")(row),
            "Owner": _of("owner", "nobody"),
        },
        empty="He had asked for nothing by then.",
    ),
    "kept": _Section(
        title="Kept since before",
        meaning="Categories in which something is kept now, unchanged since. It stays sealed; no entry tells of it.",
        columns={"Category": _of("category"), "Since": _at("since")},
        empty="Nothing that is kept now is as old.",
    ),
    "households": _Section(
        title="Lived with others",
        meaning="From when until when he was in a household that is contacted together. No entry tells of it.",
        columns={"Since": _at("at"), "Until": _at("until")},
        empty="He was in no household by then.",
    ),
}
