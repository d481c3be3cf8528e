"""What comes in by a form, read into values: every field known, each sent once, nothing guessed.

What a page itself has written into a form (which wording was shown, which answer stood) comes back with it. Whoever
changes that deceives nobody but himself.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from werkzeug.datastructures import MultiDict

from api.security import FIELD
from consent.base.errors import Place, RequestInvalid
from consent.permission.statement import OLDEST

_ANSWERS: Final = frozenset({"yes", "no"})
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_DAY: Final = re.compile(r"[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}", re.ASCII)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_MOST_ENTRIES: Final = 20
_MOST_FIELDS: Final = 900
YES: Final = "yes"
_ONE_CLICK: Final = "List-Unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The form of the choices as it was sent; keys are scopes."""

    answers: Mapping[str, str]
    was: Mapping[str, str]
    """The answer that stood when the page was made; "" for none."""
    notices: Mapping[str, int]
    """The version of the wording that was shown."""
    objections: frozenset[str]
    allowances: frozenset[str]
    """Scopes whose objection is taken back."""
    age: int
    """What he says that his age is, in years; 0 where he doesn't."""
    everything: Literal["yes", "no", ""]
    """Set by the buttons that answer all questions at once."""


def read_choices(form: MultiDict[str, str]) -> Given:
    """Read the form of the choices.

    Raises:
        RequestInvalid: with every field that is unknown, sent twice, or says what it can't.
    """
    fields = _once(form)
    places: list[Place] = []
    by_kind: dict[str, dict[str, str]] = {"answer": {}, "was": {}, "notice": {}, "object": {}, "allow": {}}
    for name, value in fields.items():
        kind, _, scope = name.partition(":")
        if name in (FIELD, "all", "age", "lang"):
            continue
        if kind not in by_kind or not scope:
            places.append(Place(name[:80], "is not a field of this form"))
        elif not _possible(kind, value):
            places.append(Place(name[:80], "can't have this value"))
        else:
            by_kind[kind][scope] = value
    everything = fields.get("all", "")
    if everything not in ("yes", "no", ""):
        places.append(Place("all", "can't have this value"))
    age = fields.get("age", "").strip()
    if age and not (_NUMBER.fullmatch(age) and 1 <= int(age) <= OLDEST):
        places.append(Place("age", f"must be a whole number from 1 to {OLDEST}"))
    if places:
        raise RequestInvalid(places=places)
    return Given(
        answers=by_kind["answer"],
        was=by_kind["was"],
        notices={scope: int(version) for scope, version in by_kind["notice"].items()},
        objections=frozenset(by_kind["object"]),
        allowances=frozenset(by_kind["allow"]),
        age=int(age or 0),
        everything="yes" if everything == "yes" else "no" if everything == "no" else "",
    )


def read_day(text: str) -> datetime | None:
    """Read a day as a browser's date field sends it: its beginning, UTC; None where it is none.

    >>> read_day("2026-11-21"), read_day("21.11.2026")
    (datetime.datetime(2026, 11, 21, 0, 0, tzinfo=datetime.timezone.utc), None)
    """
    if not _DAY.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None


def read_version(text: str) -> int | None:
    """Read the number of a version, of a campaign or the contact policy; None where it is none.

    >>> read_version("12"), read_version("0"), read_version("two")
    (12, None, None)
    """
    return int(text) if _VERSION.fullmatch(text) else None


def read_entries(text: str) -> tuple[int, ...]:
    """Read ledger positions, as they stand in the address of a page: `12,13`; what is no position is left out.

    >>> read_entries("12,13,x")
    (12, 13)
    """
    parts = text.split(",")[:_MOST_ENTRIES]
    return tuple(int(part) for part in parts if _NUMBER.fullmatch(part))


def read_field(form: MultiDict[str, str], name: str, *, longest: int = 200) -> str:
    """Return the one field of a form that has no other, without the space around it; "" where it was left empty.

    Raises:
        RequestInvalid: there are other fields, it was sent twice, or it is too long.
    """
    fields = _once(form)
    wrong = [Place(other[:80], "is not a field of this form") for other in fields if other not in (FIELD, "lang", name)]
    value = fields.get(name, "").strip()
    if len(value) > longest:
        wrong.append(Place(name, f"has more than {longest} characters"))
    if wrong:
        raise RequestInvalid(places=wrong)
    return value


def read_fields(form: MultiDict[str, str], **longest: int) -> dict[str, str]:
    """Return the fields of a form that has these and no others, without the space around them; "" where one is empty.

    Args:
        form: as it was sent.
        **longest: each field, and how many characters it may have.

    Raises:
        RequestInvalid: there are other fields, one was sent twice, or is too long.
    """
    fields = _once(form)
    known = {FIELD, "lang", *longest}
    wrong = [Place(name[:80], "is not a field of this form") for name in fields if name not in known]
    found = {name: fields.get(name, "").replace("\r\n", "\n").strip() for name in longest}
    wrong += [
        Place(name, f"has more than {most} characters") for name, most in longest.items() if len(found[name]) > most
    ]
    if wrong:
        raise RequestInvalid(places=wrong)
    return found


def nothing_but(form: MultiDict[str, str]) -> None:
    """Refuse a form that was to have no fields of its own, and has some.

    Raises:
        RequestInvalid: with every field.
    """
    read_field(form, FIELD)


def one_click(form: MultiDict[str, str]) -> bool:
    """Say whether a mail program has sent this by itself.

    Source:
        RFC 8058 section 3.2.
    """
    return form.get(_ONE_CLICK) == "One-Click"


def _once(form: MultiDict[str, str]) -> dict[str, str]:
    if len(form) > _MOST_FIELDS:
        raise RequestInvalid(places=[Place("", "has too many fields")])
    twice = [name for name in form if len(form.getlist(name)) > 1]
    if twice:
        raise RequestInvalid(places=[Place(name[:80], "was sent twice") for name in twice])
    return dict(form.items())


def _possible(kind: str, value: str) -> bool:
    match kind:
        case "answer":
            return value in _ANSWERS
        case "was":
            return value in _ANSWERS or not value
        case "notice":
            return _NUMBER.fullmatch(value) is not None
        case _:
            return value == "yes"
