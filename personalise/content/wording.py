"""The wording of a treatment: what it says to whom permits it, and what it says to everybody else."""

from collections.abc import Mapping
from dataclasses import dataclass

from personalise.content.mail import Mail
from personalise.content.template import Template


@dataclass(frozen=True, slots=True)
class Said:
    """What is said to a customer; `personal` where it was made of what is known of him."""

    content: str
    subject: str
    personal: bool
    html: str = ""
    """The same as an HTML mail; "" where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a treatment says: content, perhaps a subject and an HTML mail, and the general wording, which reads nothing.

    What reads no attribute is its own general wording. All of it is the treatment's own, or all of it is general.
    """

    content: Template
    subject: Template | None = None
    general: Template | None = None
    general_subject: Template | None = None
    mail: Mail | None = None
    general_mail: Mail | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """What it reads in any of its parts; unless all of it is permitted and known, the general wording stands."""
        parts = (self.content, self.subject, self.mail.html if self.mail else None)
        return tuple(sorted({name for part in parts if part for name in part.attributes}))

    @property
    def mails(self) -> tuple[Mail, ...]:
        """Its HTML mails: its own, and the general one."""
        return tuple(each for each in (self.mail, self.general_mail) if each)

    def impersonal(self) -> Said:
        """Return what is said to somebody of whom nothing is known."""
        content, subject = self.general or self.content, self.general_subject or self.subject
        mail = self.general_mail or self.mail
        return Said(
            content.rendered({}) or "",
            _line(subject.rendered({}) or "") if subject else "",
            personal=False,
            html=mail.html.rendered({}) or "" if mail else "",
        )

    def said(self, values: Mapping[str, object]) -> Said:
        """Return what is said to a customer: of his own values (None: not known), or, failing that, in general."""
        if not self.attributes or any(values.get(name) is None for name in self.attributes):
            return self.impersonal()
        content = self.content.rendered(values)
        subject = self.subject.rendered(values) if self.subject else ""
        html = self.mail.html.rendered(values) if self.mail else ""
        if content is None or subject is None or html is None:
            return self.impersonal()
        return Said(content, _line(subject), personal=True, html=html)


def plain(text: str) -> Wording:
    """Return the wording that always says the same."""
    return Wording(content=Template(source=text, html=False, attributes=(), parts=(text,)))


def _line(text: str) -> str:
    r"""Return a text as one line: a subject is a header, and what a customer wrote himself may not add another.

    >>> _line("Hello\r\nBcc: all@example.org")
    'Hello Bcc: all@example.org'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
