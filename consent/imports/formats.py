"""Formats: what other systems write, and how a file shows which of them wrote it.

`csv` and `json` are files of any columns; `listmonk`, `mailchimp` and `onetrust` are those with the columns that these
systems give them: a mapping needn't ignore each by name. Nothing is detected unless it is asked for (`auto`).

Source:
    listmonk 5, subscribers' export (`uuid, email, name, attributes, status, created_at, updated_at`); Mailchimp,
    audience export (one file each for subscribed, unsubscribed and cleaned contacts); OneTrust, Universal Consent &
    Preference Management, Data Subjects API (`content[].Purposes[]`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from consent.base.errors import ImportInvalid

AUTO: Final = "auto"
_BEGINNING: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format: CSV or JSON, the columns that belong to it, and those that show it."""

    name: str
    json: bool = False
    records: str = ""
    """Where the records stand in a JSON object; "" for a format whose mapping says so."""
    each: str = ""
    """Which list of a record makes a row an item."""
    columns: frozenset[str] = frozenset()
    """Its own columns: what a mapping doesn't name of these is ignored."""
    signs: frozenset[str] = frozenset()
    """Columns that together show it."""


_LISTMONK: Final = frozenset({"uuid", "email", "name", "attributes", "status", "created_at", "updated_at"})
_MAILCHIMP: Final = frozenset(
    {
        "Email Address", "First Name", "Last Name", "Address", "Phone Number", "Birthday", "MEMBER_RATING",
        "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "CONFIRM_IP", "LATITUDE", "LONGITUDE", "GMTOFF", "DSTOFF",
        "TIMEZONE", "CC", "REGION", "LAST_CHANGED", "LEID", "EUID", "NOTES", "TAGS",
        "UNSUB_TIME", "UNSUB_CAMPAIGN_TITLE", "UNSUB_CAMPAIGN_ID", "UNSUB_REASON", "UNSUB_REASON_OTHER",
        "CLEAN_TIME", "CLEAN_CAMPAIGN_TITLE", "CLEAN_CAMPAIGN_ID",
    }
)  # fmt: skip

FORMATS: Final[Mapping[str, Format]] = {
    each.name: each
    for each in (
        Format(name="csv"),
        Format(name="json", json=True),
        Format(name="listmonk", columns=_LISTMONK, signs=_LISTMONK),
        Format(
            name="mailchimp",
            columns=_MAILCHIMP,
            signs=frozenset({"Email Address", "OPTIN_TIME", "CONFIRM_TIME", "LEID"}),
        ),
        Format(name="onetrust", json=True, records="content", each="Purposes"),
    )
}


def detected(path: Path) -> str:
    """Return the format that a file shows itself to be of: by its first bytes, and nothing else.

    Raises:
        ImportInvalid: it can't be read.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(_BEGINNING).decode("utf-8-sig", "replace")
    except OSError as away:
        raise ImportInvalid(f"{path.name} can't be read: {away.strerror}") from away
    if beginning.lstrip()[:1] in ("{", "["):
        return "onetrust" if re.search(r'"Purposes"\s*:', beginning) else "json"
    header = {name.strip().strip('"') for name in beginning.partition("\n")[0].split(",")}
    shown = (each.name for each in FORMATS.values() if each.signs and each.signs <= header)
    return next(shown, "csv")
