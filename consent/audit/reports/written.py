"""PURE: a report of an audit in words. What could not be checked comes first, and never looks as if it had passed."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from consent.audit.reports.content import Bound, Content
from consent.audit.reports.document import Block, Document, Facts, Heading, Notice, Paragraph, Table
from consent.base.canonical import b64
from consent.base.clock import rfc3339
from consent.base.counting import counted

_WORDS: Final = {"passed": "Passed", "findings": "Findings", "could_not_check": "Could not check"}


def document(content: Content) -> Document:
    """Return the report as a document."""
    began = _moment(content.past.started_at)
    return Document(
        title=f"Audit of {began}",
        subtitle=f"{_word(content.past.status)}. {_conclusion(content)}",
        blocks=tuple(_blocks(content)),
        foot=f"Audit {content.past.audit}, report SHA-256 {b64(content.digest)}, written {_moment(content.at)}",
    )


def _blocks(content: Content) -> Iterator[Block]:
    yield from _gaps(content)
    yield _verdict(content)
    yield from _findings(content)
    yield from _checks(content)
    yield from _binding(content)
    yield from _meaning(content)


def _conclusion(content: Content) -> str:
    findings, gaps = len(content.report["findings"]), len(content.report["gaps"])
    checks = len(content.report["checks"])
    open_too = f" {counted(gaps, 'thing')} could not be checked." if gaps else ""
    match content.past.status:
        case "passed":
            return f"All {counted(checks, 'check')} passed."
        case "findings":
            return f"{counted(findings, 'finding')}: what is named below is not as it has to be.{open_too}"
        case _:
            return f"Nothing was found broken, but{open_too or ' nothing was judged.'} It has not passed."


def _gaps(content: Content) -> Iterator[Block]:
    gaps = content.report["gaps"]
    if gaps:
        lines = tuple(f"{each['check']}: {each['why']}" for each in gaps)
        title = f"Could not be checked: {counted(len(gaps), 'thing')}. Nobody knows whether it is right or wrong."
        yield Notice("gap", title, lines)


def _verdict(content: Content) -> Block:
    match content.past.status:
        case "passed":
            judged = sum(each["checked"] for each in content.report["checks"])
            return Notice(
                "good",
                "Passed",
                (f"{counted(judged, 'thing was', 'things were')} judged, and each is as it has to be.",),
            )
        case "findings":
            return Notice("bad", f"Findings: {len(content.report['findings']):,}", ())
        case _:
            return Notice("gap", "Not passed: not everything could be checked", ())


def _findings(content: Content) -> Iterator[Block]:
    yield Heading("Findings")
    rows = tuple(_finding(content, each) for each in content.report["findings"])
    if not rows:
        yield Paragraph("No rule was found broken by the checks named below.")
        return
    headings = ("Severity", "Check", "On", "What is wrong", "State now")
    yield Table("Rules found broken", headings, rows, (10, 14, 22, 38, 16))


def _finding(content: Content, found: dict[str, Any]) -> tuple[str, ...]:
    now = content.findings.get((found["check"], found["subject"]))
    state = "" if now is None else str(now.state)
    if now is not None and now.owner:
        state += f", {now.owner}"
    if now is not None and now.accepted_until is not None:
        state += f" until {_moment(now.accepted_until)}"
    return found["severity"], found["check"], found["subject"], found["why"], state


def _checks(content: Content) -> Iterator[Block]:
    yield Heading("What was checked")
    if content.incremental:
        yield Paragraph(
            "This was an incremental audit: some checks went on from the ledger position up to which they had passed "
            "before. A full audit looks at everything."
        )
    rows = tuple(_check(each) for each in content.report["checks"])
    headings = ("Result", "Check", "What it holds", "Judged", "From position", "Seconds")
    yield Table("Checks", headings, rows, (14, 15, 35, 11, 13, 12))


def _check(each: dict[str, Any]) -> tuple[str, ...]:
    since = f"{each['since']:,}" if each.get("since") else "all"
    word = "Nothing to judge" if each["status"] == "passed" and not each["checked"] else _word(each["status"])
    return word, each["check"], each["title"], f"{each['checked']:,}", since, f"{each['seconds']:.1f}"


def _binding(content: Content) -> Iterator[Block]:
    yield Heading("What binds this report")
    past = content.past
    yield Facts(
        (
            ("Audit", past.audit),
            ("Began", rfc3339(past.started_at)),
            ("Ended", rfc3339(past.ended_at) if past.ended_at else "it has not"),
            ("Asked for by", past.asked_by),
            ("Report, SHA-256", b64(content.digest)),
            *_ledger(content.bound),
        )
    )


def _ledger(bound: Bound | None) -> Iterator[tuple[str, str]]:
    if bound is None:
        yield "Ledger", "The ledger took no entry about this audit: nothing binds it."
        return
    yield "Ledger position", f"{bound.position:,} (entry {bound.seq:,} of {bound.origin})"
    if bound.size is None:
        yield "Checkpoint", "None covers the entry yet; the worker signs one within a minute."
    else:
        yield "Ledger size at the checkpoint", f"{bound.size:,}"
        yield "Merkle root at the checkpoint", bound.root


def _meaning(content: Content) -> Iterator[Block]:
    yield Heading("What this proves, and what not")
    yield Paragraph(
        "The entry named above commits to the report's hash: a report with other findings has another hash. The "
        "checkpoint shows that the entries before it can't be changed or taken out without being seen. Neither shows "
        "that everything that happened was entered."
    )
    for key, each in content.explained.items():
        yield Paragraph(f"{key}. It proves: {each.proves} It does not prove: {each.leaves_open}")


def _word(status: str) -> str:
    return _WORDS.get(status, status)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
