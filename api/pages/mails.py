"""What an HTML mail of a campaign looks like, shown within the campaign's page: nothing in it runs or is fetched."""

from typing import Final

from flask import Blueprint, Response

from api import security
from api.roles import action
from api.wiring import here
from consent.base.errors import NotFound
from personalise import shelf
from personalise.content import parts
from personalise.content.mail import Mail
from personalise.content.wording import Wording

OWN: Final = "own"
GENERAL: Final = "general"
"""Which mail of a treatment: in its own wording, or the general one."""

blueprint: Final = Blueprint("mails", __name__)


class MailUnknown(NotFound):
    """No such mail: the campaign has no treatment of that key, or it has no HTML mail."""

    code = "mail_unknown"
    title = "There is no such mail"


@blueprint.get("/console/campaigns/<key>/mails/<treatment>/<which>")
@action("campaigns.show")
def show(key: str, treatment: str, which: str) -> Response:
    """Show a mail of a campaign's newest version: "…" for each fact, and every way that it may go after the other."""
    deployment = here().deployment
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    wordings = {each.key: each.wording for each in campaign.treatments}
    mail = _mail(wordings[treatment], which) if treatment in wordings else None
    if mail is None:
        raise MailUnknown
    security.enclose()
    return Response(parts.whole(mail.html.parts), mimetype="text/html")


def _mail(wording: Wording, which: str) -> Mail | None:
    return {OWN: wording.mail, GENERAL: wording.general_mail}.get(which)
