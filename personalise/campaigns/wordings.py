"""PURE: the wording of a treatment, read from its table: every tag and name that is wrong has its line and column."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from consent.base.errors import Place
from consent.base.form import Form
from personalise.content.filters import LONGEST
from personalise.content.mail import LONGEST_MAIL, LONGEST_SOURCE, Mail, key, mail
from personalise.content.template import Faults, Kinds, Template, template
from personalise.content.wording import Wording

PRINTED: Final = frozenset({"sms", "push", "whatsapp", "phone", "call", "post", "letter"})
"""Channels that show or say plain text. On every other one what a template puts out is escaped for HTML."""

MAILED: Final = frozenset({"email", "e-mail", "mail", "newsletter"})
"""Channels whose messages can be an HTML mail, beside the same as plain text."""

_SUBJECT: Final = 200


class Words(NamedTuple):
    """What wordings are read by: the attributes that there are, and mails that were compiled before, by their keys."""

    known: Kinds
    compiled: Mapping[str, str]


def wording(form: Form, channel: str, words: Words) -> Wording:
    """Read what a treatment says: `content`, perhaps `subject` and `mjml`, and the same with `general`.

    Whoever doesn't permit what any of it reads gets the general wording, so there has to be one, and it reads nothing.
    Beside an HTML mail the content is its plain text.

    Args:
        form: the treatment's table; faults are noted in it.
        channel: by which it goes.
        words: what it is read by.
    """
    html = channel not in PRINTED and not form.has("mjml")
    content = _template(form, "content", words.known, html=html)
    found = Wording(
        content=content or _NOTHING,
        subject=_template(form, "subject", words.known, html=False, longest=_SUBJECT),
        general=_template(form, "general", words.known, html=html),
        general_subject=_template(form, "general_subject", words.known, html=False, longest=_SUBJECT),
        mail=_mail(form, "mjml", channel, words),
        general_mail=_mail(form, "general_mjml", channel, words),
    )
    if content is not None:
        _paired(form, found)
    return found


def _paired(form: Form, found: Wording) -> None:
    """See to it that there is a general wording where one is needed, and none that nobody would get."""
    read = ", ".join(found.attributes)
    if found.attributes and not form.has("general"):
        form.wrong("general", f"is missing: who doesn't permit the use of {read} gets the general wording")
    if not found.attributes and form.has("general") and (found.mail or not form.has("mjml")):
        form.wrong("general", "nobody would get it: the content reads nothing of the customer")
    _impersonal(form, "general", found.general)
    mail, general = found.mail, found.general_mail
    for key_, its, other in (
        ("subject", found.subject, found.general_subject),
        ("mjml", mail.html if mail else None, general.html if general else None),
    ):
        _impersonal(form, f"general_{key_}", other)
        personal = bool(its and its.attributes)
        if personal != form.has(f"general_{key_}") and (its or not form.has(key_)):
            why = (
                f"is missing: the {key_} reads {read}" if personal else f"nobody would get it: the {key_} reads nothing"
            )
            form.wrong(f"general_{key_}", why)


def _impersonal(form: Form, key_: str, words: Template | None) -> None:
    if words and words.attributes:
        form.wrong(key_, f"reads {', '.join(words.attributes)}: the general wording reads nothing of the customer")


def _mail(form: Form, key_: str, channel: str, words: Words) -> Mail | None:
    """Return the HTML mail at a key; None where there is none, or a wrong one."""
    if not form.has(key_):
        return None
    before = len(form.places)
    source = form.text(key_, longest=LONGEST_SOURCE)
    if channel and channel not in MAILED:
        form.wrong(key_, f"{channel} shows no mails: they go by {', '.join(sorted(MAILED))}")
    if len(form.places) > before:
        return None
    found = mail(source, words.known, words.compiled.get(key(source)))
    if isinstance(found, Faults):
        form.places.extend(Place(f"{form.at(key_)}, {place.where}", place.why) for place in found.places)
        return None
    if not found.html.attributes and found.html.rendered({}) is None:
        form.wrong(key_, f"says nothing, or comes out as more than {LONGEST_MAIL:,} signs")
    return found


def _template(form: Form, key: str, known: Kinds, *, html: bool, longest: int = LONGEST) -> Template | None:
    """Return the template at a key; None where there is none, or a wrong one. There has to be a content."""
    if not form.has(key) and key != "content":
        return None
    before = len(form.places)
    source = form.text(key, longest=longest)
    if len(form.places) > before:
        return None
    found = template(source, known, html=html)
    if isinstance(found, Faults):
        form.places.extend(Place(f"{form.at(key)}, {place.where}", place.why) for place in found.places)
        return None
    if not found.attributes and found.rendered({}) is None:
        form.wrong(key, f"says nothing, or more than {LONGEST:,} signs")
    return found


_NOTHING: Final = Template(source="", html=False, attributes=(), parts=())
"""What a treatment says whose content is wrong: it is never published."""
