"""What an HTML mail of a campaign looks like, shown within the campaign's page: nothing in it runs or is fetched."""

from typing import Final, Literal

from flask import Blueprint, Response

from api import security
from api.roles import action
from api.wiring import here
from consent.base.errors import NotFound
from personalise import shelf
from personalise.content import parts
from personalise.content.mail import Mail
from personalise.content.wording import Wording

Which = Literal["own", "general"]
"""A treatment's own wording, or the general one."""

blueprint: Final = Blueprint("mails", __name__)


class MailUnknown(NotFound):
    """No such mail: the campaign has no treatment of that key, or it has no HTML mail."""

    code = "mail_unknown"
    title = "There is no such mail"


@blueprint.get("/console/campaigns/<key>/mails/<treatment>/<any(own, general):which>")
@action("campaigns.show")
def show(key: str, treatment: str, which: Which) -> Response:
    """Show a mail of a campaign's newest version: "…" for each fact, and every way that it may go after the other."""
    deployment = here().deployment
    with deployment.store.read() as work:
        campaign, _ = shelf.load(work, key, deployment.desk.catalogues.current(work))
    mails = {each.key: _mail(each.wording, which) for each in campaign.treatments}
    mail = mails.get(treatment)
    if mail is None:
        raise MailUnknown
    security.enclose()
    return Response(parts.whole(mail.html.parts), mimetype="text/html")


def _mail(wording: Wording, which: Which) -> Mail | None:
    return wording.mail if which == "own" else wording.general_mail
