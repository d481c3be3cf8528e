"""`/healthz` and `/readyz`: whether the process lives, and whether it can do its work."""

from typing import Final

from flask import Blueprint, Response

from api.rest.contract import Contract, answer, contract
from api.rest.shapes import Choice, Form, Instant, Items, Part
from api.roles import action
from api.wiring import HEARTBEAT, here
from consent.audit import alarms
from consent.audit.alarms import Alarming
from consent.base import schema
from consent.base.errors import LedgerBroken, Unavailable
from consent.ledger import log

blueprint: Final = Blueprint("health", __name__)


class HealthForm(Form):
    """How it is."""

    status = Choice(["ok"], required=True)


class AlarmForm(Form):
    """Something that should have happened and has not; what this process can do, it does all the same."""

    kind = Choice(Alarming, required=True)
    since = Instant(required=True)


class ReadyForm(Form):
    """How it is, and what is amiss beside it."""

    status = Choice(["ok"], required=True)
    alarms = Items(Part(AlarmForm), 0, len(Alarming), required=True)


@blueprint.get("/healthz")
@action("health.show")
@contract(Contract(summary="Say whether the process lives", answer=HealthForm))
def healthz() -> Response:
    """Answer, and ask nothing else."""
    return answer(HealthForm, {"status": "ok"})


@blueprint.get("/readyz")
@action("health.show")
@contract(Contract(summary="Say whether it can do its work", answer=ReadyForm))
def readyz() -> Response:
    """Look whether the database answers, is at the newest schema, and holds a ledger; and whether a worker lives.

    Raises:
        Unavailable: one of these fails; the detail says which.
    """
    deployment = here().deployment
    store = deployment.store
    if schema.current(store) != schema.newest():
        raise Unavailable("the database's schema is not the newest: run `byleave db upgrade`")
    try:
        with store.read() as work:
            newest = log.head(work)
            amiss = alarms.signs(work, at=deployment.clock(), heartbeat=HEARTBEAT)
    except LedgerBroken as broken:
        raise Unavailable("there is no ledger: run `byleave init`, or `byleave ledger verify`") from broken
    if newest.catalogue_version == 0:
        raise Unavailable("no catalogue is published: run `byleave catalogue publish FILE`")
    return answer(ReadyForm, {"status": "ok", "alarms": [{"kind": each.kind, "since": each.since} for each in amiss]})
