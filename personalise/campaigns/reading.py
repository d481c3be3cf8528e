"""From a TOML or JSON file to a campaign, checked against the catalogue; every wrong spot is named."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, cast

from consent.base.errors import CampaignInvalid, ExpressionInvalid, Place, counted
from consent.base.form import KEY, Form, read_table, read_text
from consent.catalogue.model import Attribute, Catalogue
from personalise.campaigns.model import (
    FITTING,
    LEAVE_ALONE,
    LONGEST_TTL_DAYS,
    NOTHING,
    SCORERS,
    SILENCE_IS_NO,
    TTL_DAYS,
    Campaign,
    Holdout,
    Objective,
    Offer,
    Scorer,
    Silence,
    Treatment,
    Volume,
)
from personalise.campaigns.wordings import Words, wording
from personalise.contact_policy.model import CLASSES, HELD_BACK, UNHELD, Cap, Class
from personalise.contact_policy.reading import named, per, read_share
from personalise.content.template import kinds
from personalise.language.expressions import condition, number
from personalise.language.terms import Condition, Number

_MOST_TREATMENTS: Final = 200
_NUMERIC: Final = ("number", "integer", "boolean")
_ONE_IN: Final = 10_000
_NONE: Final[Mapping[str, str]] = MappingProxyType({})

Format: TypeAlias = Literal["toml", "json"]
Compiled: TypeAlias = Mapping[str, str]
"""Mails as they were compiled at publishing, by the keys of their MJML."""
_MOST_CONTACTS: Final = 10_000_000
_TAKEN: Final = frozenset({"customer", "enrolled", "bucket", "company_bucket"})
"""Columns that decisions have of their own: an attribute of that name can't be read."""


def read_campaign(path: Path, catalogue: Catalogue) -> Campaign:
    """Read a campaign file.

    Raises:
        CampaignInvalid: with every place that is wrong.
    """
    table, text = read_table(path, CampaignInvalid)
    return _campaign(table, text, catalogue, "json" if path.suffix == ".json" else "toml", _NONE)


def parse_campaign(text: str, form: Format, catalogue: Catalogue, compiled: Compiled = _NONE) -> Campaign:
    """Read a campaign from text, as it was published; its mails say what they were compiled to then.

    Raises:
        CampaignInvalid: with every place that is wrong under this catalogue.
    """
    table, _ = read_text(text.encode(), "the campaign", CampaignInvalid, as_json=form == "json")
    return _campaign(table, text, catalogue, form, compiled)


def _campaign(table: dict[str, Any], text: str, catalogue: Catalogue, form: Format, compiled: Compiled) -> Campaign:
    places: list[Place] = []
    top = Form(table, "", places)
    head = top.form("campaign")
    offers = _keyed(top, "offer", lambda one: _offer(one, catalogue))
    treatments = _treatments(top, offers, catalogue, compiled)
    audience = _condition(head, "audience", catalogue, required=True)
    expressions = [audience, *_fitting(offers), *(each.score for each in treatments)]
    objective, received = _measured(top, head, catalogue)
    kind = cast("Class", head.choice("class", CLASSES, default=HELD_BACK))
    campaign = Campaign(
        key=head.key("key"),
        name=head.text("name", longest=200),
        purpose=_purpose(head, catalogue, "purpose"),
        benefit=head.text("benefit"),
        person_to_reach=head.text("person_to_reach"),
        way_out=head.text("way_out"),
        audience=audience or condition("TRUE", {}),
        scorer=cast("Scorer", head.choice("scorer", SCORERS, default="rule")),
        features=_features(head, expressions, catalogue, outcomes=(received, objective.measure)),
        received=received,
        measurement=_purpose(head, catalogue, "measurement", default="measurement"),
        goodwill_budget=head.number("goodwill_budget", default=0, low=0, high=1e12),
        holdout=_holdout(head.form("holdout")),
        objective=objective,
        caps=tuple(_keyed(top, "cap", lambda one: _cap(one, catalogue)).values()),
        offers=MappingProxyType(offers),
        treatments=treatments,
        body=text,
        format=form,
        kind=kind,
        tags=_tags(head),
        volumes=_volumes(top, kind, treatments),
        ttl_days=head.integer("ttl_days", default=TTL_DAYS, low=1, high=LONGEST_TTL_DAYS),
    )
    _judge_class(head, campaign, catalogue)
    _finish(head, top)
    return campaign


def _finish(head: Form, top: Form) -> None:
    head.unknown()
    top.unknown()
    if top.places:
        raise CampaignInvalid(counted(top.places), places=top.places)


def _judge_class(head: Form, campaign: Campaign, catalogue: Catalogue) -> None:
    """Refuse advertising of another class: nothing holds that back, so the catalogue alone can say what is none."""
    purpose = catalogue.purposes.get(campaign.purpose)
    if campaign.kind in UNHELD and purpose and purpose.marketing:
        why = f"{campaign.kind} is for purposes of service only, and the catalogue says that {purpose.key} is marketing"
        head.wrong("class", why)


def _measured(top: Form, head: Form, catalogue: Catalogue) -> tuple[Objective, str]:
    """Return the objective, and the attribute that says which treatment a customer had received."""
    objective = _objective(top.form("objective"), catalogue)
    return objective, _outcome(head, "received", catalogue, types=("text",), default="got")


def _keyed(top: Form, kind: str, read: Any) -> dict[str, Any]:  # noqa: ANN401 -- one reader a kind
    found: dict[str, Any] = {}
    for form in top.forms(kind, least=1 if kind == "offer" else 0):
        item = read(form)
        form.unknown()
        if item.key in found:
            form.wrong("key", f"{kind} {item.key} is declared twice")
        found[item.key] = item
    return found


def _objective(form: Form, catalogue: Catalogue) -> Objective:
    objective = Objective(
        key=form.key("key"),
        title=form.text("title", longest=200),
        challenge=form.text("challenge"),
        measure=_outcome(form, "measure", catalogue, types=_NUMERIC),
        target=form.number("target", low=-1e9, high=1e9),
        by=form.day("by") or date.max,
        owner=form.text("owner", longest=200),
        window_days=form.integer("window_days", default=0, low=1, high=365),
        minimum_effect=form.number("minimum_effect", default=0, low=0, high=1e9),
        baseline=form.number("baseline", default=0, low=0, high=1),
        silence=cast("Silence", form.choice("silence", ("unknown", SILENCE_IS_NO), default="unknown")),
    )
    if objective.silence == SILENCE_IS_NO and not objective.window_days:
        form.wrong("silence", "means a no only once window_days are over: give them")
    form.unknown()
    return objective


def _outcome(form: Form, key: str, catalogue: Catalogue, *, types: tuple[str, ...], default: str | None = None) -> str:
    name = form.text(key) if default is None else form.text(key, default=default)
    found = _readable(catalogue).get(name)
    if name and found is None:
        form.wrong(key, f"{name[:80]!r} is no attribute of the catalogue")
    elif found and found.type not in types:
        form.wrong(key, f"{name} is {found.type}: choose an attribute that is {' or '.join(types)}")
    return name


def _readable(catalogue: Catalogue) -> Mapping[str, Attribute]:
    """Return the attributes that a campaign can read."""
    return {name: each for name, each in catalogue.attributes.items() if name not in _TAKEN}


def _purpose(form: Form, catalogue: Catalogue, key: str, **default: str) -> str:
    purpose = form.key(key, **default)
    if purpose and purpose not in catalogue.purposes:
        form.wrong(key, f"{purpose!r} is no purpose of the catalogue: choose from {', '.join(catalogue.purposes)}")
    return purpose


def _holdout(form: Form) -> Holdout:
    holdout = Holdout(
        share=read_share(form), salt=form.text("salt", longest=200), waiver=form.text("waiver", default="")
    )
    form.unknown()
    return holdout


def _tags(head: Form) -> tuple[str, ...]:
    tags = head.texts("tags", default=())
    for tag in tags:
        if not KEY.fullmatch(tag):
            head.wrong("tags", f"{tag[:80]!r} is no short name: a-z, then a-z, 0-9, - or _")
    if len(set(tags)) != len(tags):
        head.wrong("tags", "a tag stands twice")
    return tags


def _cap(form: Form, catalogue: Catalogue) -> Cap:
    channels = form.texts("channels")
    if not channels:
        form.wrong("channels", "name at least one channel")
    for channel in channels:
        if channel not in catalogue.channels:
            form.wrong("channels", f"{channel!r} is no channel of the catalogue")
    return Cap(
        key=form.key("key"),
        channels=channels,
        purposes=named(form, "purposes", catalogue.purposes, "purpose"),
        tags=form.texts("tags", default=()),
        offers=form.texts("offers", default=()),
        limit=form.integer("limit", low=0, high=1_000),
        days=form.integer("days", low=1, high=3_650),
        per=per(form),
    )


def _fitting(offers: Mapping[str, Offer]) -> Iterator[Condition]:
    return (condition for offer in offers.values() for _, condition in offer.conditions)


def _volumes(top: Form, kind: Class, treatments: Sequence[Treatment]) -> tuple[Volume, ...]:
    volumes = tuple(_keyed(top, "volume", lambda one: _volume(one, treatments)).values())
    if volumes and kind in UNHELD:
        top.wrong("volume", f"a {kind} message is never held back: leave the volume out")
    return volumes


def _volume(form: Form, treatments: Sequence[Treatment]) -> Volume:
    keys, channels = {one.key for one in treatments}, {one.channel for one in treatments}
    volume = Volume(
        key=form.key("key"),
        limit=form.integer("limit", low=0, high=_MOST_CONTACTS),
        treatments=named(form, "treatments", keys, "treatment", of="this campaign"),
        channels=named(form, "channels", channels, "channel", of="its treatments"),
    )
    known = keys.issuperset(volume.treatments) and channels.issuperset(volume.channels)
    if not volume.treatments and not volume.channels:
        form.wrong("treatments", "name at least one treatment or channel")
    elif known and not any(map(volume.counts, treatments)):
        form.wrong("treatments", "no treatment is of this name and of this channel: it would limit nothing")
    return volume


def _offer(form: Form, catalogue: Catalogue) -> Offer:
    return Offer(
        key=form.key("key"),
        family=form.key("family"),
        terms=MappingProxyType(form.table("terms", required=True)),
        **{rule: _condition(form, rule, catalogue, required=False) for rule in FITTING},
        value=form.number("value", low=0, high=1e9),
        benefit=form.number("benefit", default=0, low=-1e9, high=1e9),
        cost=form.number("cost", default=0, low=0, high=1e9),
        validity=form.integer("validity", default=0, low=0, high=3_650),
        grade=form.integer("grade", default=None, low=-1_000, high=1_000) if form.has("grade") else None,
    )


def _treatments(
    top: Form, offers: Mapping[str, Offer], catalogue: Catalogue, compiled: Compiled
) -> tuple[Treatment, ...]:
    found: dict[str, Treatment] = {}
    words = Words(kinds(_readable(catalogue)), compiled)
    for form in top.forms("treatment", least=1):
        channel = form.key("channel")
        item = Treatment(
            key=form.key("key"),
            offer=form.key("offer"),
            channel=channel,
            wording=wording(form, channel, words),
            score=_score(form, catalogue),
            lever=form.number("lever", default=1, low=0.5, high=2),
        )
        form.unknown()
        if item.offer and item.offer not in offers:
            form.wrong("offer", f"{item.offer!r} is no offer of this campaign")
        if item.channel and item.channel not in catalogue.channels:
            form.wrong("channel", f"{item.channel!r} is no channel of the catalogue")
        if item.key in (NOTHING, LEAVE_ALONE):
            form.wrong("key", f"{item.key} is what no treatment is called")
        if item.key in found:
            form.wrong("key", f"treatment {item.key} is declared twice")
        found[item.key] = item
    if len(found) > _MOST_TREATMENTS:
        top.wrong("treatment", f"a campaign has at most {_MOST_TREATMENTS} treatments")
    return tuple(found.values())


def _condition(form: Form, key: str, catalogue: Catalogue, *, required: bool) -> Condition | None:
    text = form.text(key, longest=4_000) if required else form.text(key, default="", longest=4_000)
    if not text.strip():
        return None
    try:
        return condition(text, _readable(catalogue))
    except ExpressionInvalid as wrong:
        form.places.extend(Place(f"{form.at(key)}, {place.where}", place.why) for place in wrong.places)
        return None


def _score(form: Form, catalogue: Catalogue) -> Number:
    text = form.text("score", longest=4_000)
    try:
        return number(text if text.strip() else "0", _readable(catalogue))
    except ExpressionInvalid as wrong:
        form.places.extend(Place(f"{form.at('score')}, {place.where}", place.why) for place in wrong.places)
        return number("0", {})


def _features(
    head: Form, expressions: list[Condition | Number | None], catalogue: Catalogue, *, outcomes: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the model's features: those named, or else every number and flag that the campaign's expressions read.

    Never an outcome: it isn't known before.
    """
    named = head.texts("features", default=())
    known = _readable(catalogue)
    for name in named:
        if name not in known:
            head.wrong("features", f"{name[:80]!r} is no attribute of the catalogue")
        elif known[name].type not in _NUMERIC:
            head.wrong("features", f"{name} is {known[name].type}: a model's feature is a number or a flag")
        elif name in outcomes:
            head.wrong("features", f"{name} is the outcome, which isn't known before")
    if len(set(named)) != len(named):
        head.wrong("features", "a feature stands twice")
    if named:
        return named
    read = {name for each in expressions if each for name in each.attributes}
    return tuple(sorted(name for name in read if known[name].type in _NUMERIC and name not in outcomes))
