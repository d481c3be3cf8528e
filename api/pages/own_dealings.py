"""What was between the company and a customer: why he got what he got, his goodwill, what he was promised."""

import re
from typing import Any, Final

from flask import Blueprint, Response, request

from api.actors import actor
from api.pages import dealings
from api.pages.answering import language, linked, page
from api.roles import action
from api.wiring import here
from consent.base.errors import ContactPolicyInvalid, DecisionUnknown
from consent.base.ids import CustomerId
from consent.base.store import Work
from consent.catalogue.model import Catalogue
from consent.register import mergers
from consent.rights import sections
from personalise import held, shelf
from personalise.contact_policy.model import Goodwill

_POSITION: Final = re.compile(r"0|[1-9][0-9]{0,14}", re.ASCII)
_LONGEST: Final = 60
blueprint: Final = Blueprint("own_dealings", __name__)


def _customer() -> CustomerId:
    return CustomerId(actor.current().subject)


@blueprint.get("/p/why")
@action("own_dealings.show")
def why() -> Response:
    """Show the newest decisions about a customer, older ones, or the one that is asked for."""
    deployment, said = here().deployment, language()
    ids = sections.all_ids(deployment.store, _customer())
    asked, before = request.args.get("decision", "")[:_LONGEST], request.args.get("before", "")
    if asked:
        one = held.one(deployment, ids, asked, language=said.code)
        if one is None:
            raise DecisionUnknown
        found = held.Newest(rows=[one], older=None)
    else:
        start = int(before) if _POSITION.fullmatch(before) else None
        found = held.newest(deployment, ids, before=start, most=dealings.MOST, language=said.code)
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
    return page(
        "customer/why.html",
        said=said,
        company=catalogue.name,
        path="/p/why",
        intro=said.say("dealings", "why_one" if asked else "why_intro", company=catalogue.name),
        decided=dealings.decided(found.rows, catalogue, said),
        one=bool(asked),
        further=bool(before),
        older=linked("/p/why", before=str(found.older)) if found.older is not None else "",
    )


@blueprint.get("/p/goodwill")
@action("own_dealings.show")
def goodwill() -> Response:
    """Show a customer's account, and the offers that hold for him."""
    house, said = here(), language()
    deployment, at = house.deployment, house.deployment.clock()
    with deployment.store.read() as work:
        catalogue = deployment.desk.catalogues.current(work)
        who = mergers.surviving(work, _customer())
        terms = _terms(work, catalogue)
    elsewhere = house.elsewhere(said.code)
    lines: list[Any] = list(elsewhere.goodwill(who, at))
    return page(
        "customer/goodwill.html",
        said=said,
        company=catalogue.name,
        path="/p/goodwill",
        account=dealings.account(lines, terms, lambda decision: linked("/p/why", decision=decision), said),
        promised=dealings.promised(elsewhere.commitments(who, at), at, said),
    )


def _terms(work: Work, catalogue: Catalogue) -> Goodwill:
    """Return what contacts cost; nothing, where the rules no longer fit the catalogue: then nobody is contacted."""
    try:
        return shelf.load_contact_policy(work, catalogue).goodwill
    except ContactPolicyInvalid:
        return Goodwill()
