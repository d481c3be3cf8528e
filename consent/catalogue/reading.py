"""From a TOML file to a catalogue, naming every spot that breaks a rule."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, cast, get_args

from consent.base.counting import counted
from consent.base.errors import CatalogueInvalid, Place
from consent.base.form import Form, read_table, read_text
from consent.base.ids import Scope
from consent.catalogue import dpv
from consent.catalogue.duration import Duration, parse_duration
from consent.catalogue.model import (
    ASKED,
    SERVICE,
    UNPUBLISHED,
    Attribute,
    AttributeType,
    Catalogue,
    Category,
    Channel,
    Controller,
    LegalBasis,
    Notice,
    Operation,
    Origin,
    Purpose,
    Recipient,
    ScopeRule,
)

DEFAULT: Final = Path(__file__).with_name("default.toml")
"""The catalogue that is shipped: a shop's."""

_SCOPE: Final = re.compile(r"(remember):([a-z][a-z0-9_]*)|(use|contact|share):([a-z][a-z0-9_]*):([a-z][a-z0-9_]*)")
_LANGUAGE: Final = re.compile(r"[a-z]{2}(-[A-Z]{2})?")
_ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def read_catalogue(path: Path) -> Catalogue:
    """Read a catalogue file; it has no number and no bits until it is published.

    Raises:
        CatalogueInvalid: with every place that is wrong.
    """
    table, text = read_table(path, CatalogueInvalid)
    return _catalogue(table, text, path.name)


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue from text, as it was published.

    Raises:
        CatalogueInvalid: with every place that is wrong.
    """
    raw = text.encode("utf-8", "surrogatepass")  # half a pair is found where all that isn't UTF-8 is
    table, _ = read_text(raw, "the catalogue", CatalogueInvalid)
    return _catalogue(table, text, "the catalogue")


def _catalogue(table: dict[str, Any], text: str, name: str) -> Catalogue:
    places: list[Place] = []
    top = Form(table, "", places)
    title = top.text("name", longest=200)
    purposes = _by_key(top, "purpose", _purpose)
    categories = _by_key(top, "category", _category)
    channels = _by_key(top, "channel", lambda form: Channel(**_titled(form)))
    recipients = _by_key(top, "recipient", lambda form: Recipient(**_titled(form)))
    notices = _notices(top)
    controller = _controller(top, title)
    _each_attribute_once(categories, places)
    draft = Catalogue(
        name=title,
        version=UNPUBLISHED,
        body=text,
        purposes=MappingProxyType(purposes),
        categories=MappingProxyType(categories),
        channels=MappingProxyType(channels),
        recipients=MappingProxyType(recipients),
        notices=MappingProxyType(notices),
        scopes=MappingProxyType({}),
        controller=controller,
    )
    scopes: dict[str, ScopeRule] = {}
    for form in top.forms("scope", least=1):
        rule = _scope(form, draft)
        if rule and rule.scope in scopes:
            form.wrong("scope", f"{rule.scope} is declared twice")
        elif rule:
            scopes[rule.scope] = rule
    top.unknown()
    if places:
        raise CatalogueInvalid(f"{counted(len(places), 'place')} in {name}", places=places)
    return Catalogue(
        **{**{f: getattr(draft, f) for f in draft.__dataclass_fields__}, "scopes": MappingProxyType(scopes)}
    )


def _by_key(top: Form, kind: str, read: Any) -> dict[str, Any]:  # noqa: ANN401 -- one reader a kind
    found: dict[str, Any] = {}
    for form in top.forms(kind):
        item = read(form)
        form.unknown()
        if item.key in found:
            form.wrong("key", f"{kind} {item.key} is declared twice")
        found[item.key] = item
    return found


def _titled(form: Form) -> dict[str, Any]:
    return {"key": form.key("key"), "title": form.text("title"), "titles": _translated(form, "titles")}


def _translated(form: Form, key: str) -> Mapping[str, str]:
    """Read words in further languages: none where there is no such table."""
    words = form.table(key)
    for language, text in words.items():
        where = f"{key}.{language[:20]}"
        if not _LANGUAGE.fullmatch(language) or not isinstance(text, str) or not text.strip():
            form.wrong(where, "must be a language like de or de-AT, and its words")
        elif any(sign < " " for sign in text):
            form.wrong(where, "has a control character")
    return MappingProxyType(words)


def _purpose(form: Form) -> Purpose:
    return Purpose(
        **_titled(form),
        description=form.text("description"),
        marketing=form.flag("marketing"),
        dpv=_terms(form, dpv.PURPOSES),
    )


def _terms(form: Form, kind: str) -> tuple[str, ...]:
    """Read the catalogue's own terms for a purpose or a category: of the published vocabulary, each once."""
    given = form.texts("dpv", ())
    unknown = sorted(set(given) - dpv.vocabulary(kind))
    if unknown:
        form.wrong("dpv", f"{unknown[0][:80]} is not a term of DPV {dpv.VERSION} for {kind}")
    if len(set(given)) != len(given):
        form.wrong("dpv", "names a term twice")
    return given


def _controller(top: Form, name: str) -> Controller:
    form = top.form("controller", required=False)
    controller = Controller(
        name=form.text("name", default=name, longest=200),
        address=form.text("address", default=""),
        email=form.text("email", default="", longest=254),
    )
    form.unknown()
    return controller


def _category(form: Form) -> Category:
    key = form.key("key")
    attributes = []
    for name, kind in form.table("attributes").items():
        if not _ATTRIBUTE.fullmatch(name):
            form.wrong(f"attributes.{name[:80]}", "must be named a-z, then a-z, 0-9 or _")
        elif kind not in get_args(AttributeType):
            form.wrong(f"attributes.{name}", "must be one of " + ", ".join(get_args(AttributeType)))
        else:
            attributes.append(Attribute(name=name, category=key, type=kind))
    unpriced = form.texts("unpriced", ())
    for name in unpriced:
        if name not in (attribute.name for attribute in attributes):
            form.wrong("unpriced", f"{name[:80]!r} is none of its attributes")
    return Category(
        unpriced=unpriced,
        key=key,
        title=form.text("title"),
        titles=_translated(form, "titles"),
        origin=cast("Origin", form.choice("origin", get_args(Origin))),
        special=form.flag("special", default=False),
        attributes=tuple(attributes),
        dpv=_terms(form, dpv.DATA),
        sources=form.texts("from", ()),
    )


def _each_attribute_once(categories: Mapping[str, Category], places: list[Place]) -> None:
    owner: dict[str, str] = {}
    for category in categories.values():
        for attribute in category.attributes:
            if attribute.name in owner:
                why = f"belongs to category {owner[attribute.name]} already"
                places.append(Place(f"category {category.key}, attributes.{attribute.name}", why))
            owner[attribute.name] = category.key


def _notices(top: Form) -> dict[tuple[str, int], Notice]:
    found: dict[tuple[str, int], Notice] = {}
    for form in top.forms("notice"):
        wording = form.table("wording", required=True)
        for language, words in wording.items():
            if not _LANGUAGE.fullmatch(language) or not isinstance(words, str) or not words.strip():
                form.wrong(f"wording.{language[:20]}", "must be a language like en or de-AT, and its words")
            elif any(sign < " " and sign not in "\n\t" for sign in words):
                form.wrong(f"wording.{language}", "has a control character")
        if "en" not in wording:
            form.wrong("wording.en", "is missing: English is what every other language falls back to")
        notice = Notice(
            key=form.key("key"),
            version=form.integer("version", low=1, high=65_535),
            material=form.flag("material", default=True),
            wording=MappingProxyType(wording),
        )
        form.unknown()
        if (notice.key, notice.version) in found:
            form.wrong("version", f"notice {notice.key} has version {notice.version} already")
        found[notice.key, notice.version] = notice
    return found


def _scope(form: Form, draft: Catalogue) -> ScopeRule | None:
    text = form.text("scope")
    shape = _SCOPE.fullmatch(text)
    if not shape:
        form.wrong(
            "scope",
            "must be remember:CATEGORY, use:CATEGORY:PURPOSE, contact:CHANNEL:PURPOSE or share:RECIPIENT:PURPOSE",
        )
        return None
    operation, target, purpose = shape[1] or shape[3], shape[2] or shape[4], shape[5] or ""
    notice = form.key("notice", default="")
    rule = ScopeRule(
        scope=Scope(text),
        operation=cast("Operation", operation),  # the pattern admits no other
        target=target,
        purpose=purpose,
        legal_basis=_basis(form),
        notice=notice,
        benefit=form.text("benefit", default=""),
        benefits=_translated(form, "benefits"),
        validity=_duration(form, "validity"),
        retention=_duration(form, "retention"),
        double_opt_in=form.flag("double_opt_in", default=False),
        minimum_age=form.integer("minimum_age", default=0, low=0, high=120),
        gpc=form.flag("gpc", default=False),
        order=form.integer("order", default=1_000, low=0, high=1_000_000),
        material_since=_material_since(notice, draft),
        remind_days=form.integer("remind_days", default=-1, low=0, high=3_660),
    )
    form.unknown()
    _names_known(form, rule, draft)
    _basis_allowed(form, rule, draft)
    return rule


def _basis(form: Form) -> LegalBasis:
    word = form.choice("legal_basis", tuple(LegalBasis))
    return LegalBasis(word) if word in set(LegalBasis) else LegalBasis.CONSENT


def _duration(form: Form, key: str) -> Duration | None:
    text = form.text(key, default="")
    length = parse_duration(text) if text else None
    if text and length is None:
        form.wrong(key, "must be an ISO 8601 duration of years, months, weeks, days, like P24M")
    return length


def _material_since(notice: str, draft: Catalogue) -> int:
    return max((item.version for item in draft.notices.values() if item.key == notice and item.material), default=0)


def _names_known(form: Form, rule: ScopeRule, draft: Catalogue) -> None:
    targets: dict[str, Mapping[str, Any]] = {
        "remember": draft.categories,
        "use": draft.categories,
        "contact": draft.channels,
        "share": draft.recipients,
    }
    if rule.target not in targets[rule.operation]:
        form.wrong("scope", f"{rule.target!r} is not declared as a {_target_word(rule)}")
    if rule.purpose and rule.purpose not in draft.purposes:
        form.wrong("scope", f"{rule.purpose!r} is not declared as a purpose")
    if rule.notice and draft.current_notice(rule.notice) is None:
        form.wrong("notice", f"{rule.notice!r} is not declared as a notice")


def _target_word(rule: ScopeRule) -> str:
    return {"contact": "channel", "share": "recipient"}.get(rule.operation, "category")


def _basis_allowed(form: Form, rule: ScopeRule, draft: Catalogue) -> None:
    category = draft.categories.get(rule.target) if rule.operation in ("remember", "use") else None
    purpose = draft.purposes.get(rule.purpose)
    if category and category.special and rule.legal_basis is not LegalBasis.EXPLICIT_CONSENT:
        form.wrong("legal_basis", "must be explicit_consent: the category is a special one (GDPR Art. 9(2)(a))")
    if rule.legal_basis in SERVICE and purpose and purpose.marketing:
        form.wrong("legal_basis", f"{rule.legal_basis} is for service purposes only, and {purpose.key} is marketing")
    if rule.legal_basis in ASKED:
        if not rule.notice:
            form.wrong("notice", "is missing: a permission that is asked for needs the wording shown")
        if not rule.benefit:
            form.wrong("benefit", "is missing: say what the customer gains by allowing it")
