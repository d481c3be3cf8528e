"""The job `outbox`: what waits to be mailed goes into a folder, one file a mail, for the company's mailer to send.

The only thing so far is the link that confirms a grant. Written after the commit that made it: a file that is there
twice is the same file, for it is called by the link's digest. No address is kept in readable form, so whoever sends it
fills in the one that belongs to the customer whom the header names.
"""

import os
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final, NamedTuple

from api.wiring import OUTBOX, House
from consent.catalogue.model import Catalogue
from consent.register import confirmations
from consent.register.confirmations import Outgoing

EVERY_SECONDS: Final = 5
FOLDER: Final = OUTBOX
CUSTOMER_HEADER: Final = "X-Byleave-Customer"
_AT_ONCE: Final = 100
_FIRST: Final = "en"


class _Words(NamedTuple):
    """A mail in one language; {braces} are filled in."""

    subject: str
    text: str


WORDS: Final[Mapping[str, _Words]] = {
    "en": _Words(
        "Please confirm: {company}",
        "You said yes to this:\n\n{wordings}\n\nIt counts once you confirm it. Open this page and press the button:\n\n"
        "{link}\n\nThe link is good until {until} UTC. If it was not you, do nothing: then nothing is allowed, and you "
        "will not hear from us again about it.\n",
    ),
    "de": _Words(
        "Bitte bestätigen: {company}",
        "Sie haben hierzu Ja gesagt:\n\n{wordings}\n\nEs gilt, sobald Sie es bestätigen. Öffnen Sie diese Seite und "
        "drücken Sie den Knopf:\n\n{link}\n\nDer Link gilt bis {until} UTC. Wenn Sie das nicht waren, tun Sie nichts: "
        "dann ist nichts erlaubt, und Sie hören dazu nicht wieder von uns.\n",
    ),
    "fr": _Words(
        "Merci de confirmer\u00a0: {company}",
        "Vous avez dit oui à ceci\u00a0:\n\n{wordings}\n\nCela comptera dès que vous l’aurez confirmé. Ouvrez cette "
        "page et appuyez sur le bouton\u00a0:\n\n{link}\n\nLe lien est valable jusqu’au {until} UTC. Si ce n’était pas "
        "vous, ne faites rien\u00a0: alors rien n’est permis, et vous n’entendrez plus parler de nous à ce sujet.\n",
    ),
    "zh": _Words(
        "请确认：{company}",
        "您对下面的内容表示同意：\n\n{wordings}\n\n您确认之后才算数。请打开这个页面，按下按钮：\n\n{link}\n\n"
        "链接有效至{until} UTC。如果不是您本人，什么都不用做：那样就不会允许任何事，我们也不会再为此打扰您。\n",
    ),
}
"""The mail that asks to confirm, by language; whoever speaks none of these gets the first."""


def hand_over(house: House, _holder: str) -> None:
    """Write what waits into the outbox, and forget the tokens: from then on they are in the mail alone."""
    deployment = house.deployment
    with deployment.store.read() as work:
        waiting = confirmations.outgoing(deployment.desk, work, _AT_ONCE)
        catalogue = deployment.desk.catalogues.current(work) if waiting else None
    if not waiting or catalogue is None:
        return
    folder = house.settings.home / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for each in waiting:
        _write(folder, f"{each.confirmation.digest.hex()}.eml", mail(house, each, catalogue).as_bytes(policy=SMTP))
    _sync(folder)
    with deployment.store.write() as work:
        confirmations.handed_over(work, [each.confirmation for each in waiting])
        confirmations.sweep(work, at=deployment.clock())


def mail(house: House, outgoing: Outgoing, catalogue: Catalogue) -> EmailMessage:
    """Return the mail that carries a link; the same link always gives the same mail."""
    settings, link = house.settings, outgoing.confirmation
    language = link.language.partition("-")[0]
    words = WORDS.get(language, WORDS[_FIRST])
    company = " ".join(catalogue.name.split())
    message = EmailMessage()
    message["From"] = f"no-reply@{settings.name}"
    message["To"] = f"{link.customer}@customers.invalid"
    message["Subject"] = words.subject.format(company=company)
    message["Date"] = format_datetime(link.made_at)
    message["Message-ID"] = f"<{link.digest.hex()[:32]}.confirmation@{settings.name}>"
    message["Auto-Submitted"] = "auto-generated"
    message[CUSTOMER_HEADER] = link.customer
    message.set_content(
        words.text.format(
            wordings="\n\n".join(f"    {each}" for each in _wordings(outgoing, catalogue)),
            link=f"{settings.base_url}/p/confirm/{outgoing.token}",
            until=f"{link.expires_at:%Y-%m-%d %H:%M}",
        )
    )
    message["Content-Language"] = language if language in WORDS else _FIRST  # after the content, which sets its own
    return message


def _wordings(outgoing: Outgoing, catalogue: Catalogue) -> list[str]:
    """Return the words of each question, as they were asked then; of one that is no longer asked, its scope."""
    link = outgoing.confirmation
    rules = {scope: catalogue.scopes.get(scope) for scope in link.scopes}
    notices = {scope: catalogue.notice_at(rule.notice, link.made_at) if rule else None for scope, rule in rules.items()}
    return [notice.wording[notice.spoken(link.language)] if notice else str(scope) for scope, notice in notices.items()]


def _write(folder: Path, name: str, content: bytes) -> None:
    """Write a file whole or not at all, for nobody else to read."""
    part = folder / f".{name}.part"
    part.unlink(missing_ok=True)  # left behind by somebody who was killed while he wrote it
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(folder / name)


def _sync(folder: Path) -> None:
    """Make the new names durable before the tokens are forgotten."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
