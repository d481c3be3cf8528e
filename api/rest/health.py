"""`/healthz` and `/readyz`: whether the process lives, and whether it can do its work."""

from typing import Final

from flask import Blueprint, Response

from api.rest.contract import Contract, answer, contract
from api.rest.shapes import Choice, Form
from api.roles import action
from api.wiring import here
from consent.base import schema
from consent.base.errors import LedgerBroken, Unavailable
from consent.ledger import log

blueprint: Final = Blueprint("health", __name__)


class HealthForm(Form):
    """How it is."""

    status = Choice(["ok"], required=True)


@blueprint.get("/healthz")
@action("health.show")
@contract(Contract(summary="Say whether the process lives", answer=HealthForm))
def healthz() -> Response:
    """Answer, and ask nothing else."""
    return answer(HealthForm, {"status": "ok"})


@blueprint.get("/readyz")
@action("health.show")
@contract(Contract(summary="Say whether it can do its work", answer=HealthForm))
def readyz() -> Response:
    """Look whether the database answers, is at the newest schema, and holds a ledger.

    Raises:
        Unavailable: one of these fails; the detail says which.
    """
    store = here().deployment.store
    if schema.current(store) != schema.newest():
        raise Unavailable("the database's schema is not the newest: run `byleave db upgrade`")
    try:
        with store.read() as work:
            newest = log.head(work)
    except LedgerBroken as broken:
        raise Unavailable("there is no ledger: run `byleave init`, or `byleave ledger verify`") from broken
    if newest.catalogue_version == 0:
        raise Unavailable("no catalogue is published: run `byleave catalogue publish FILE`")
    return answer(HealthForm, {"status": "ok"})
