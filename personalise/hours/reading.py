"""PURE: rules of hours and packs of jurisdictions, read from TOML by form; every wrong spot is named.

A rule of hours is a table that a pack and a company's own document write alike:

    [[hours]]
    key = "evenings"
    classes = ["marketing"]            # marketing, service; left out: marketing
    channels = ["phone", "sms"]        # left out: every channel
    regions = ["FR", "US-TX"]          # ISO 3166-1, ISO 3166-2; left out: everywhere
    quiet = [{ days = ["mon", "tue"], start = "20:00", end = "10:00" }]    # days left out: every day; end up to 24:00
    holidays = [{ name = "New Year's Day", month = 1, day = 1 }]           # quiet all day
    source = "law and paragraph"       # required of laws, with a link to its text
    link = "https://…"

A holiday is a date of each year, as above, or `easter = 39` days after Easter Sunday, or `month = 11, weekday = "thu",
nth = 4`, where -1 is the last.
"""

import re
from calendar import monthrange
from collections.abc import Collection
from pathlib import Path
from typing import Any, Final, cast

from consent.base.errors import Invalid, Place, counted
from consent.base.form import Form, read_table
from personalise.hours import zones
from personalise.hours.holidays import FARTHEST, LAST, Fixed, Holiday, Movable, Weekday
from personalise.hours.model import DAY, OWN, Binding, Bound, HoursRule, LegalCap, LegalRest, Pack, Span

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_PACKS: Final = Path(__file__).with_name("packs")
_CLASSES: Final = ("marketing", "service")
_COMMON_YEAR: Final = 2001
_NTH: Final = 5
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00)")
_PART: Final = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?")
_STATES: Final = (
    "AL AK AZ AR CA CO CT DC DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR "
    "PA RI SC SD TN TX UT VT VA WA WV WI WY AS GU MP PR UM VI"
)
"""The parts of the United States (ISO 3166-2:US), the only country whose parts are looked up."""


def shipped() -> tuple[str, ...]:
    """Return the keys of the packs that are shipped.

    >>> shipped()
    ('fr-telephone', 'us-telephone')
    """
    return tuple(sorted(path.stem for path in _PACKS.glob("*.toml")))


def shipped_pack(key: str) -> Pack:
    """Read a pack that is shipped.

    Raises:
        Invalid: there is none by that key.
    """
    if key not in shipped():
        msg = f"{key[:80]!r} is no pack: choose from {', '.join(shipped())}"
        raise Invalid(msg)
    return read_pack(_PACKS / f"{key}.toml")


def read_pack(path: Path) -> Pack:
    """Read the pack of a jurisdiction.

    Raises:
        Invalid: with every place that is wrong.
    """
    table, _ = read_table(path, Invalid)
    return _pack(table)


def _pack(table: dict[str, Any]) -> Pack:
    places: list[Place] = []
    top = Form(table, "", places)
    head = top.form("pack")
    version = head.integer("version", low=1, high=1_000_000)
    regions = _regions(head, required=True)
    hours = [hours_rule(form, binding="law", version=version, regions=regions) for form in top.forms("hours", least=1)]
    caps = [_cap(form, regions) for form in top.forms("cap")]
    rests = [_rest(form, regions) for form in top.forms("rest")]
    pack = Pack(
        key=head.key("key"),
        title=head.text("title", longest=200),
        version=version,
        regions=regions,
        hours=tuple(hours),
        caps=tuple(caps),
        rests=tuple(rests),
    )
    keys = [*(rule.key for rule in hours), *(cap.key for cap in caps), *(rest.key for rest in rests)]
    if len(set(keys)) != len(keys):
        top.wrong("pack", "a key stands twice among its hours, caps and rests")
    head.unknown()
    top.unknown()
    if places:
        raise Invalid(counted(places), places=places)
    return pack


def hours_rule(
    form: Form,
    *,
    binding: Binding,
    version: int,
    regions: tuple[str, ...] = (),
    channels: Collection[str] | None = None,
) -> HoursRule:
    """Read one rule of hours; what is wrong is noted in the form's places.

    Args:
        form: the rule's table.
        binding: by whose word it stands; a law has to name its source.
        version: of the document it stands in.
        regions: where it holds if it doesn't say so itself.
        channels: the channels that there are; None if that is for somebody else to check.
    """
    key = form.key("key")
    if key == OWN:
        form.wrong("key", f"{OWN} is what the customer's own rule is called")
    wrong = len(form.places)
    quiet = _quiet(form)
    holidays = tuple(_holiday(each) for each in form.forms("holidays"))
    if not quiet and not holidays and len(form.places) == wrong:
        form.wrong("quiet", "name a span or a holiday: this rule is never quiet")
    source, link = _source(form, required=binding == "law")
    rule = HoursRule(
        key=key,
        binding=binding,
        version=version,
        quiet=quiet,
        classes=_classes(form),
        channels=_channels(form, channels),
        regions=_regions(form) or regions,
        holidays=tuple(each for each in holidays if each),
        source=source,
        link=link,
    )
    form.unknown()
    return rule


def _cap(form: Form, regions: tuple[str, ...]) -> LegalCap:
    source, link = _source(form, required=True)
    cap = LegalCap(
        key=form.key("key"),
        classes=_classes(form),
        channels=_channels(form, None),
        regions=_regions(form) or regions,
        limit=form.integer("limit", low=0, high=1_000),
        days=form.integer("days", low=1, high=3_650),
        source=source,
        link=link,
    )
    form.unknown()
    return cap


def _rest(form: Form, regions: tuple[str, ...]) -> LegalRest:
    source, link = _source(form, required=True)
    rest = LegalRest(
        key=form.key("key"),
        classes=_classes(form),
        channels=_channels(form, None),
        regions=_regions(form) or regions,
        days=form.integer("days", low=1, high=3_650),
        source=source,
        link=link,
    )
    form.unknown()
    return rest


def _source(form: Form, *, required: bool) -> tuple[str, str]:
    source = form.text("source") if required else form.text("source", default="")
    link = form.text("link") if required else form.text("link", default="")
    if link and not link.startswith("https://"):
        form.wrong("link", "must begin with https://")
    return source, link


def _classes(form: Form) -> tuple[Bound, ...]:
    classes = _listed(form, "classes", ("marketing",))
    for name in classes:
        if name not in _CLASSES:
            form.wrong("classes", f"must be of {', '.join(_CLASSES)}: a legal message is never held up")
    return tuple(cast("Bound", name) for name in classes)


def _channels(form: Form, known: Collection[str] | None) -> tuple[str, ...]:
    channels = _listed(form, "channels", ())
    for channel in channels:
        if known is not None and channel not in known:
            form.wrong("channels", f"{channel[:80]!r} is no channel of the catalogue")
    return channels


def _regions(form: Form, *, required: bool = False) -> tuple[str, ...]:
    regions = _listed(form, "regions", None if required else ())
    for region in regions:
        country, _, part = region.partition("-")
        if not _PART.fullmatch(region) or country not in zones.countries():
            form.wrong("regions", f"{region[:80]!r} is no country (ISO 3166-1: FR), nor a part of one (US-TX)")
        elif country == "US" and part and part not in _STATES.split():
            form.wrong("regions", f"{region!r} is no part of the United States")
    return regions


def _listed(form: Form, key: str, default: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return a list that neither is empty nor says a thing twice; it may be left out where there is a default."""
    noted = len(form.places)
    texts = form.texts(key) if default is None else form.texts(key, default=default)
    if not texts and form.has(key) and len(form.places) == noted:
        form.wrong(key, "name at least one" if default is None else "name at least one, or leave it out")
    if len(set(texts)) != len(texts):
        form.wrong(key, "names one twice")
    return texts


def _quiet(form: Form) -> tuple[Span, ...]:
    spans: list[Span] = []
    for each in form.forms("quiet"):
        days = _listed(each, "days", WEEKDAYS)
        start, end = _minute(each, "start"), _minute(each, "end")
        each.unknown()
        if any(day not in WEEKDAYS for day in days):
            each.wrong("days", f"must be of {', '.join(WEEKDAYS)}")
        elif start is not None and end is not None:
            spans += _spans(each, days, start, end)
    return tuple(spans)


def _spans(form: Form, days: tuple[str, ...], start: int, end: int) -> list[Span]:
    if start == DAY:
        form.wrong("start", "must be before 24:00: name the next day, from 00:00")
    elif start == end:
        form.wrong("end", "is the start: the whole day is 00:00 to 24:00")
    else:
        return [Span(weekday=WEEKDAYS.index(day), start=start, end=end or DAY) for day in days]
    return []


def _minute(form: Form, key: str) -> int | None:
    text = form.text(key)
    match = _TIME.fullmatch(text)
    if match is None:
        if text:
            form.wrong(key, "must be a time of day, 00:00 to 24:00")
        return None
    hour, minute = (int(part) for part in match.groups() if part is not None)
    return 60 * hour + minute


def _holiday(form: Form) -> Holiday | None:
    noted = len(form.places)
    name = form.text("name", longest=200)
    holiday: Holiday
    if form.has("easter"):
        holiday = Movable(name=name, easter=form.integer("easter", low=-FARTHEST, high=FARTHEST))
    elif form.has("weekday"):
        month, weekday = form.integer("month", low=1, high=12), form.choice("weekday", WEEKDAYS)
        nth = form.integer("nth", low=LAST, high=_NTH)
        holiday = Weekday(name=name, month=month, weekday=(*WEEKDAYS, weekday).index(weekday), nth=nth)
    else:
        holiday = Fixed(name=name, month=form.integer("month", low=1, high=12), day=form.integer("day", low=1, high=31))
    if len(form.places) == noted:
        _never(form, holiday)
    form.unknown()
    return holiday if len(form.places) == noted else None


def _never(form: Form, holiday: Holiday) -> None:
    """Note a holiday that is in range and yet in no year, or only in leap years."""
    if isinstance(holiday, Weekday) and holiday.nth == 0:
        form.wrong("nth", f"must be 1 to {_NTH}, or {LAST} for the last")
    if isinstance(holiday, Fixed) and holiday.day > monthrange(_COMMON_YEAR, holiday.month)[1]:
        form.wrong("day", "must be a day of that month in every year")
