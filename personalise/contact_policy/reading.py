"""From a TOML or JSON file to a contact policy, checked against the catalogue; every wrong spot is named."""

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, cast

from consent.base.errors import ContactPolicyInvalid, Invalid, Place, counted
from consent.base.form import Form, read_table, read_text
from consent.catalogue.model import Catalogue
from personalise.contact_policy.model import (
    CREDITED,
    PER,
    Cap,
    ContactPolicy,
    Exclusion,
    Goodwill,
    Holdout,
    Matching,
    Order,
    Per,
    Rest,
    Source,
    Zones,
)
from personalise.contact_policy.rings import rings
from personalise.hours.model import Hours, Pack
from personalise.hours.reading import hours_rule, shipped, shipped_pack

DEFAULT: Final = Path(__file__).with_name("default.toml")
"""The shipped policy: what a company can start from."""

_THE_POLICY: Final = "the contact policy"
"""What one is called that has no file name."""

_LONGEST_DAYS: Final = 3_650
_ONE_IN: Final = 10_000
_NOISE: Final = 1e-6
"""A float's own."""


def read_contact_policy(path: Path, catalogue: Catalogue) -> ContactPolicy:
    """Read a file.

    Raises:
        ContactPolicyInvalid: with every place that is wrong.
    """
    table, text = read_table(path, ContactPolicyInvalid)
    _require_content(table, path.name)
    return _unringed(_policy(table, text, catalogue, form="json" if path.suffix == ".json" else "toml"), catalogue)


def read_written(text: str, form: Literal["toml", "json"], catalogue: Catalogue) -> ContactPolicy:
    """Read a policy that somebody has written into a form or a request, as he would a file.

    Raises:
        ContactPolicyInvalid: with every place that is wrong.
    """
    table, _ = read_text(text.encode(), _THE_POLICY, ContactPolicyInvalid, as_json=form == "json")
    _require_content(table, _THE_POLICY)
    return _unringed(_policy(table, text, catalogue, form=form), catalogue)


def _unringed(read: ContactPolicy, catalogue: Catalogue) -> ContactPolicy:
    """Refuse orders in a ring; a policy that was published with one before goes on as it stands."""
    places = rings(read.orders, catalogue)
    if places:
        raise ContactPolicyInvalid(counted(places), places=places)
    return read


def _require_content(table: Mapping[str, Any], name: str) -> None:
    """Refuse what a shell leaves that had nothing to write: publishing it would lift every rule."""
    if not table:
        msg = f"{name} is empty: a policy that holds nothing back says so by weight_of_benefit = 1"
        raise ContactPolicyInvalid(msg)


def parse_contact_policy(
    text: str, form: Literal["toml", "json"], catalogue: Catalogue, *, version: int = 0
) -> ContactPolicy:
    """Read a policy from text, as it was published.

    Raises:
        ContactPolicyInvalid: with every place that is wrong under this catalogue.
    """
    table, _ = read_text(text.encode(), _THE_POLICY, ContactPolicyInvalid, as_json=form == "json")
    return _policy(table, text, catalogue, form=form, version=version)


def _policy(
    table: dict[str, Any], text: str, catalogue: Catalogue, *, form: Literal["toml", "json"], version: int = 0
) -> ContactPolicy:
    places: list[Place] = []
    top = Form(table, "", places)
    seen: set[tuple[str, str]] = set()
    packs = _packs(top, catalogue)
    read = ContactPolicy(
        version=version,
        caps=(*_legal_caps(packs), *(_cap(each, catalogue, seen) for each in top.forms("cap"))),
        exclusions=tuple(_exclusion(each, catalogue, seen) for each in top.forms("exclusion")),
        orders=tuple(_order(each, catalogue, seen) for each in top.forms("order")),
        rests=(*_legal_rests(packs), *(_rest(each, catalogue, seen) for each in top.forms("rest"))),
        hours=_hours(top, packs, catalogue, version),
        zones=_zones(top.form("zones", required=False), catalogue),
        goodwill=_goodwill(top, catalogue.channels),
        holdout=_holdout(top.form("holdout", required=False)),
        weight_of_benefit=top.number("weight_of_benefit", default=1, low=0, high=1_000),
        body=text,
        format=form,
    )
    top.unknown()
    if places:
        raise ContactPolicyInvalid(counted(places), places=places)
    return read


def named(form: Form, key: str, known: Container[str], kind: str, *, of: str = "the catalogue") -> tuple[str, ...]:
    """Read a list of keys, each of which has to be known; left out, it is empty."""
    names = form.texts(key, default=())
    for name in names:
        if name not in known:
            form.wrong(key, f"{name[:80]!r} is no {kind} of {of}")
    return names


def _once(form: Form, kind: str, seen: set[tuple[str, str]]) -> str:
    key = form.key("key")
    if (kind, key) in seen:
        form.wrong("key", f"{kind} {key} is declared twice")
    seen.add((kind, key))
    return key


def _days(form: Form) -> int:
    return form.integer("days", low=1, high=_LONGEST_DAYS)


def _cap(form: Form, catalogue: Catalogue, seen: set[tuple[str, str]]) -> Cap:
    cap = Cap(
        key=_once(form, "cap", seen),
        limit=form.integer("limit", low=0, high=1_000),
        days=_days(form),
        channels=named(form, "channels", catalogue.channels, "channel"),
        purposes=named(form, "purposes", catalogue.purposes, "purpose"),
        tags=form.texts("tags", default=()),
        offers=form.texts("offers", default=()),
        source=cast("Source", form.choice("source", ("company", "law"), default="company")),
        per=per(form),
    )
    form.unknown()
    return cap


def per(form: Form) -> Per:
    """Read whose contacts a cap counts together."""
    return cast("Per", form.choice("per", PER, default="customer"))


def parse_holdout(text: str, form: Literal["toml", "json"]) -> Holdout:
    """Read the holdout alone of a policy that was published: no catalogue has a say in it."""
    table, _ = read_text(text.encode(), _THE_POLICY, ContactPolicyInvalid, as_json=form == "json")
    return _holdout(Form(table, "", []).form("holdout", required=False))


def _holdout(form: Form) -> Holdout:
    share = read_share(form, default=0)
    if share and not form.has("salt"):
        form.wrong("salt", "is missing: it says by which draw customers are held out")
    found = Holdout(share=share, salt=form.text("salt", longest=200, default=""))
    form.unknown()
    return found


def read_share(form: Form, **default: float) -> int:
    """Read `share`, the part of the customers that is held out, in ten-thousandths."""
    share = form.number("share", low=0, high=0.9, **default)
    if abs(round(share * _ONE_IN) - share * _ONE_IN) > _NOISE:
        form.wrong("share", "must be a multiple of 0.0001")
    return round(share * _ONE_IN)


def _matching(form: Form, catalogue: Catalogue) -> Matching:
    found = Matching(
        channels=named(form, "channels", catalogue.channels, "channel"),
        purposes=named(form, "purposes", catalogue.purposes, "purpose"),
        tags=form.texts("tags", default=()),
        campaigns=form.texts("campaigns", default=()),
        offers=form.texts("offers", default=()),
        families=form.texts("families", default=()),
    )
    form.unknown()
    if found == Matching():
        form.places.append(Place(form.where, "names nothing: give channels, purposes, tags, campaigns or offers"))
    return found


def _exclusion(form: Form, catalogue: Catalogue, seen: set[tuple[str, str]]) -> Exclusion:
    found = Exclusion(
        key=_once(form, "exclusion", seen),
        one=_matching(form.form("one"), catalogue),
        other=_matching(form.form("other"), catalogue),
        days=_days(form),
    )
    form.unknown()
    return found


def _order(form: Form, catalogue: Catalogue, seen: set[tuple[str, str]]) -> Order:
    found = Order(
        key=_once(form, "order", seen),
        first=_matching(form.form("first"), catalogue),
        then=_matching(form.form("then"), catalogue),
        days=_days(form),
    )
    form.unknown()
    return found


def _rest(form: Form, catalogue: Catalogue, seen: set[tuple[str, str]]) -> Rest:
    found = Rest(
        key=_once(form, "rest", seen),
        days=_days(form),
        families=form.texts("families", default=()),
        channels=named(form, "channels", catalogue.channels, "channel"),
    )
    form.unknown()
    return found


def _packs(top: Form, catalogue: Catalogue) -> list[Pack]:
    """Read the packs of the jurisdictions that are named. One that binds a channel nobody has would bind nothing."""
    packs = []
    for key in top.texts("packs", default=()):
        if key not in shipped():
            top.wrong("packs", f"{key[:80]!r} is no pack: choose from {', '.join(shipped())}")
            continue
        pack = shipped_pack(key)
        packs.append(pack)
        if unknown := sorted(pack.channels - catalogue.channels.keys()):
            top.wrong("packs", f"{key} is about {', '.join(unknown)}, and the catalogue has no such channel")
    return packs


def _legal_caps(packs: Sequence[Pack]) -> Iterator[Cap]:
    """Walk the caps of laws. They bind every customer, wherever he is: stricter than the law is allowed."""
    for pack in packs:
        for cap in pack.caps:
            yield Cap(key=cap.key, limit=cap.limit, days=cap.days, channels=cap.channels, source="law")


def _legal_rests(packs: Sequence[Pack]) -> Iterator[Rest]:
    """Walk the rests of laws; full calendar days, so one more day than its number."""
    for pack in packs:
        for rest in pack.rests:
            yield Rest(key=rest.key, days=rest.days + 1, channels=rest.channels, source="law", whole=True)


def _hours(top: Form, packs: Sequence[Pack], catalogue: Catalogue, version: int) -> Hours | None:
    own = [
        hours_rule(form, binding="company", version=version, channels=catalogue.channels.keys())
        for form in top.forms("hours")
    ]
    rules = (*(rule for pack in packs for rule in pack.hours), *own)
    fallback = top.texts("fallback_zones", default=())
    if not rules and not fallback:
        return None
    try:
        return Hours(rules=rules, fallback=fallback)
    except Invalid as wrong:
        names = {"fallback": "fallback_zones", "rules": "hours"}
        top.places.extend(Place(names.get(place.where, place.where), place.why) for place in wrong.places)
        return None


def _zones(form: Form, catalogue: Catalogue) -> Zones:
    found = Zones(**{key: _told_by(form, key, catalogue) for key in ("zone", "address", "telephone", "country")})
    form.unknown()
    return found


def _told_by(form: Form, key: str, catalogue: Catalogue) -> str:
    name = form.text(key, default="")
    attribute = catalogue.attributes.get(name)
    if name and attribute is None:
        form.wrong(key, f"{name[:80]!r} is no attribute of the catalogue")
    elif attribute and attribute.type != "text":
        form.wrong(key, f"{name} is {attribute.type}: choose an attribute that is text")
    return name


def parse_goodwill(text: str, form: Literal["toml", "json"]) -> Goodwill:
    """Read what a published policy says of goodwill, whatever catalogue is in force: a "no" must never wait for that.

    Raises:
        ContactPolicyInvalid: it is none that could have been published.
    """
    places: list[Place] = []
    table, _ = read_text(text.encode(), _THE_POLICY, ContactPolicyInvalid, as_json=form == "json")
    read = _goodwill(Form(table, "", places), channels=None)
    if places:
        raise ContactPolicyInvalid(counted(places), places=places)
    return read


def _goodwill(top: Form, channels: Container[str] | None) -> Goodwill:
    form = top.form("goodwill", required=False)
    plain = Goodwill()
    prices = _points(form, "prices", channels, "is no channel of the catalogue")
    why = f"gives nothing back: choose from {', '.join(CREDITED)}"
    opening = form.number("opening", default=plain.opening, low=1, high=1_000_000)
    found = Goodwill(
        opening=opening,
        floor=form.number("floor", low=0, high=opening) if form.has("floor") else None,
        prices=prices,
        pressure_days=form.integer("pressure_days", default=plain.pressure_days, low=1, high=365),
        ignored=form.number("ignored", default=0, low=0, high=1_000),
        opt_out=form.number("opt_out", default=0, low=0, high=1_000_000),
        credits=_points(form, "credits", CREDITED, why),
        price_of_one=form.number("price_of_one", default=0, low=0, high=1e9),
    )
    form.unknown()
    return found


def _points(form: Form, key: str, known: Container[str] | None, why: str) -> Mapping[str, float]:
    """Read a table of points by name; what isn't known (where that is asked) is wrong."""
    table = form.table(key)
    inner = Form(table, form.at(key), form.places)
    for name in table:
        if known is not None and name not in known:
            inner.wrong(name[:80], why)
    return MappingProxyType({name: inner.number(name, low=0, high=1_000) for name in table})
