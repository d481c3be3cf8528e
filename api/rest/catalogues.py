"""`/api/v1/catalogue` and `/api/v1/notices`: what may be asked, in which words, now or at a past time.

`/.well-known/gpc.json` says to everybody that browsers' opt-outs are heeded.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flask import Blueprint, Response

from api.rest.contract import Contract, answer, answer_ready, contract
from api.rest.incoming import no_query, query
from api.rest.past import AS_OF, AsOfForm
from api.rest.shapes import LANGUAGE, SCOPE, Choice, Flag, Form, Instant, Items, Part, Shape, Text, Whole
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent import catalogues, notices
from consent.base.clock import rfc3339
from consent.base.errors import NotFound, Place, RequestUnfit
from consent.base.store import Work
from consent.catalogue.model import Catalogue, LegalBasis, ScopeRule
from consent.deployment import Deployment
from consent.notices import Published
from consent.register import history

_KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"
_DIGEST: Final = r"^[0-9a-f]{64}$"
_MOST: Final = 10_000
_GPC_AGE: Final = "public, max-age=3600"

blueprint: Final = Blueprint("catalogues", __name__)
_V1: Final = "/api/v1"


class ScopeForm(Form):
    """The rule of one scope."""

    scope = Text(3, 145, SCOPE, required=True)
    legal_basis = Choice(LegalBasis, required=True)
    notice = Text(0, 63, required=True)
    notice_version = Whole(0, 65_535, required=True, metadata={"description": "newest wording; 0 for none"})
    material_since = Whole(0, 65_535, required=True, metadata={"description": "lowest version that still counts"})
    benefit = Text(0, 2_000, required=True)
    validity = Text(0, 32, required=True, metadata={"description": "ISO 8601 duration; empty for without end"})
    retention = Text(0, 32, required=True)
    double_opt_in = Flag(required=True)
    minimum_age = Whole(0, 150, required=True)
    gpc = Flag(required=True, metadata={"description": "a browser that opts out (Sec-GPC) denies it"})
    bit = Whole(0, LARGEST, required=True, metadata={"description": "its number in every mask, for ever"})


class CatalogueForm(Form):
    """A published catalogue."""

    name = Text(1, 200, required=True)
    version = Whole(1, LARGEST, required=True)
    sha256 = Text(64, 64, _DIGEST, required=True)
    scopes = Items(Part(ScopeForm), 0, _MOST, required=True)


class VersionForm(Form):
    """One published version."""

    version = Whole(1, LARGEST, required=True)
    sha256 = Text(64, 64, _DIGEST, required=True)
    published_at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "of the ledger entry that tells of it"})


class VersionsForm(Form):
    """Every published version, the first first."""

    data = Items(Part(VersionForm), 0, _MOST, required=True)


class WordingForm(Form):
    """One wording of one notice version: the exact words."""

    notice = Text(1, 63, _KEY, required=True)
    version = Whole(1, 65_535, required=True)
    language = Text(2, 32, LANGUAGE, required=True)
    material = Flag(required=True, metadata={"description": "it asked everybody again"})
    wording = Text(1, 100_000, required=True)
    sha256 = Text(64, 64, _DIGEST, required=True, metadata={"description": "of the wording's UTF-8 bytes"})
    published_at = Instant(required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "of the entry that holds the same hash"})


class WordingsForm(Form):
    """Wordings, by notice, version and language."""

    data = Items(Part(WordingForm), 0, _MOST, required=True)


class WordingQuery(Form):
    """In which language."""

    language = Text(2, 32, LANGUAGE, "is not a language tag")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """The language asked for; English where none is."""

    language: str = "en"


SPOKEN: Final = Shape(WordingQuery, Spoken)


@blueprint.get(f"{_V1}/catalogue")
@action("catalogue.show")
@contract(
    Contract(
        summary="Show the catalogue in force, now or at a past time",
        query=AsOfForm,
        answer=CatalogueForm,
        errors=(404, 422),
    )
)
def show() -> Response:
    """Show every scope and its rule."""
    asked, deployment = query(AS_OF).as_of, here().deployment
    if asked is not None and asked > deployment.clock():
        raise RequestUnfit(places=[Place("?as_of", "lies in the future: what will be in force then is not known yet")])
    with deployment.store.read() as work:
        chosen = _in_force(deployment, work, asked)
    return answer(CatalogueForm, _written(chosen))


@blueprint.get(f"{_V1}/catalogue/versions")
@action("catalogue.show")
@contract(Contract(summary="List the published versions of the catalogue", answer=VersionsForm))
def versions() -> Response:
    """List them, the first first."""
    no_query()
    with here().deployment.store.read() as work:
        found = catalogues.listed(work)
    return answer(VersionsForm, {"data": [{**each._asdict(), "sha256": each.digest.hex()} for each in found]})


@blueprint.get(f"{_V1}/catalogue/versions/<version>")
@action("catalogue.show")
@contract(Contract(summary="Show one published version of the catalogue", answer=CatalogueForm, errors=(404,)))
def version(version: str) -> Response:
    """Show it as it was published."""
    no_query()
    deployment = here().deployment
    with deployment.store.read() as work:
        chosen = deployment.desk.catalogues.version(work, _number(version))
    return answer(CatalogueForm, _written(chosen))


@blueprint.get(f"{_V1}/notices")
@action("catalogue.show")
@contract(Contract(summary="List every wording that was ever published, with its hash", answer=WordingsForm))
def wordings() -> Response:
    """List them by notice, version and language."""
    no_query()
    with here().deployment.store.read() as work:
        found = notices.published(work)
    return answer(WordingsForm, {"data": [_shown(each) for each in found]})


@blueprint.get(f"{_V1}/notices/<notice>/<version>")
@action("catalogue.show")
@contract(
    Contract(
        summary="Show the wording that a customer of some language was shown",
        query=WordingQuery,
        answer=WordingForm,
        errors=(404,),
    )
)
def wording(notice: str, version: str) -> Response:
    """Show the exact words: in the language asked for, in its parent, or in English."""
    language = query(SPOKEN).language
    with here().deployment.store.read() as work:
        found = notices.wording(work, notice, _number(version), language)
    return answer(WordingForm, _shown(found))


@blueprint.get("/.well-known/gpc.json")
@action("gpc.show")
def opted_out() -> Response:
    """Say that Global Privacy Control is heeded, and since when as it is now.

    Source:
        Global Privacy Control (GPC), W3C working draft, section 4, "GPC Support Representation".
    """
    with here().deployment.store.read() as work:
        found = catalogues.listed(work)
    since = {"lastUpdate": rfc3339(found[-1].published_at)[:10]} if found else {}
    return answer_ready({"gpc": True, **since}, headers={"Cache-Control": _GPC_AGE})


def _in_force(deployment: Deployment, work: Work, as_of: datetime | None) -> Catalogue:
    if as_of is None:
        return deployment.desk.catalogues.current(work)
    _, number = history.ledger_at(work, as_of)
    return deployment.desk.catalogues.version(work, number)


def _number(text: str) -> int:
    """Read a version out of a path.

    Raises:
        NotFound: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and not text.startswith("0")):  # noqa: PLR2004 -- a million versions
        raise NotFound("there is no such version")
    return int(text)


def _written(chosen: Catalogue) -> dict[str, Any]:
    return {
        "name": chosen.name,
        "version": chosen.version,
        "sha256": chosen.digest.hex(),
        "scopes": [_rule(rule, chosen) for rule in chosen.in_order],
    }


def _rule(rule: ScopeRule, chosen: Catalogue) -> dict[str, Any]:
    newest = chosen.current_notice(rule.notice)
    return {
        "scope": rule.scope, "legal_basis": rule.legal_basis.value, "notice": rule.notice,
        "notice_version": newest.version if newest else 0, "material_since": rule.material_since,
        "benefit": rule.benefit, "validity": rule.validity.written() if rule.validity else "",
        "retention": rule.retention.written() if rule.retention else "", "double_opt_in": rule.double_opt_in,
        "minimum_age": rule.minimum_age, "gpc": rule.gpc, "bit": rule.bit,
    }  # fmt: skip


def _shown(one: Published) -> dict[str, Any]:
    return {
        "notice": one.key, "version": one.version, "language": one.language, "material": one.material,
        "wording": one.wording, "sha256": one.digest.hex(), "published_at": one.published_at,
        "position": one.position,
    }  # fmt: skip
