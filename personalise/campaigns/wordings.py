"""PURE: the wording of a treatment, read from its table: every tag and name that is wrong has its line and column."""

from typing import Final

from consent.base.errors import Place
from consent.base.form import Form
from personalise.content.filters import LONGEST
from personalise.content.template import Faults, Kinds, Template, template
from personalise.content.wording import Wording

PRINTED: Final = frozenset({"sms", "push", "whatsapp", "phone", "call", "post", "letter"})
"""Channels that show or say plain text. On every other one what a template puts out is escaped for HTML."""

_SUBJECT: Final = 200


def wording(form: Form, channel: str, known: Kinds) -> Wording:
    """Read what a treatment says: `content`, and where they are given `subject`, `general` and `general_subject`.

    Whoever doesn't permit what content or subject reads gets the general wording, so there has to be one, and it reads
    nothing.

    Args:
        form: the treatment's table; faults are noted in it.
        channel: by which it goes.
        known: the attributes that there are.
    """
    html = channel not in PRINTED
    content = _template(form, "content", known, html=html)
    subject = _template(form, "subject", known, html=False, longest=_SUBJECT)
    general = _template(form, "general", known, html=html)
    general_subject = _template(form, "general_subject", known, html=False, longest=_SUBJECT)
    found = Wording(content=content or _NOTHING, subject=subject, general=general, general_subject=general_subject)
    if content is not None:
        _paired(form, found)
    return found


def _paired(form: Form, found: Wording) -> None:
    """See to it that there is a general wording where one is needed, and none that nobody would get."""
    read = ", ".join(found.attributes)
    for key, each in (("general", found.general), ("general_subject", found.general_subject)):
        if each and each.attributes:
            form.wrong(key, f"reads {', '.join(each.attributes)}: the general wording reads nothing of the customer")
    if found.attributes and not form.has("general"):
        form.wrong("general", f"is missing: who doesn't permit the use of {read} gets the general wording")
    if not found.attributes and form.has("general"):
        form.wrong("general", "nobody would get it: the content reads nothing of the customer")
    personal = bool(found.subject and found.subject.attributes)
    if personal != form.has("general_subject"):
        why = f"is missing: the subject reads {read}" if personal else "nobody would get it: the subject reads nothing"
        form.wrong("general_subject", why)


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
