"""Receipts for people: a customer fetches his own, and anybody checks one, in the browser and nowhere else."""

import re
from typing import Final

from flask import Blueprint, Response

from api import security
from api.actors import actor
from api.pages.answering import language, page
from api.roles import action
from api.wiring import here
from consent.base.errors import EntryUnknown
from consent.base.ids import CustomerId
from consent.permission.statement import Act, Method
from consent.receipts import document, issuing

_POSITION: Final = re.compile("0|[1-9][0-9]{0,15}", re.ASCII)
_STEPS: Final = ("file", "proof", "payload", "terms", "readable", "checkpoint", "inclusion")
"""What is checked, as the script names it."""

blueprint: Final = Blueprint("receipt_pages", __name__)


@blueprint.get("/p/receipts/<position>")
@action("choices.show")
def own(position: str) -> Response:
    """Hand out the receipt of a statement of the customer's own; to anybody else there is none."""
    if not _POSITION.fullmatch(position):
        raise EntryUnknown
    deployment = here().deployment
    customer = CustomerId(actor.current().subject)
    made = issuing.issue(deployment.store, deployment.desk, int(position), at=deployment.clock(), customer=customer)
    kept = {"Content-Disposition": f'attachment; filename="{made.name}"'}
    return Response(made.body, mimetype=document.TYPE, headers=kept)


@blueprint.get("/verify")
@action("receipts.verify")
def verify() -> Response:
    """Show the page that checks a receipt by itself. It can connect to nowhere."""
    deployment, words = here().deployment, language()
    with deployment.store.read() as work:
        company = deployment.desk.catalogues.current(work).name
        keys = issuing.published_keys(deployment.desk, work)
    security.silence()
    return page(
        "customer/verify.html",
        said=words,
        company=company,
        path="/verify",
        keys=keys,
        command=f"byleave ledger verify-receipt receipt.jsonld --key '{keys[-1]}'",
        acts=[(act.value, words.say("acts", act.value)) for act in Act],
        methods=[(method.value, words.say("methods", method.value)) for method in Method],
        steps=[(step, words.say("verify", f"{step}_step")) for step in _STEPS],
    )
