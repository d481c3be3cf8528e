"""The wording of a treatment: what it says to whom permits it, and what it says to everybody else."""

from collections.abc import Mapping
from dataclasses import dataclass

from personalise.content.template import Template


@dataclass(frozen=True, slots=True)
class Said:
    """What is said to a customer; `personal` where it was made of what is known of him."""

    content: str
    subject: str
    personal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a treatment says: its content, a subject where it has one, and the general wording, which reads nothing.

    A content that reads no attribute is its own general wording.
    """

    content: Template
    subject: Template | None = None
    general: Template | None = None
    general_subject: Template | None = None

    @property
    def attributes(self) -> tuple[str, ...]:
        """What content or subject read; unless all of it is permitted and known, the general wording stands."""
        return tuple(sorted({*self.content.attributes, *(self.subject.attributes if self.subject else ())}))

    def impersonal(self) -> Said:
        """Return what is said to somebody of whom nothing is known."""
        content, subject = self.general or self.content, self.general_subject or self.subject
        return Said(content.rendered({}) or "", _line(subject.rendered({}) or "") if subject else "", personal=False)

    def said(self, values: Mapping[str, object]) -> Said:
        """Return what is said to a customer: of his own values (None: not known), or, failing that, in general."""
        if not self.attributes or any(values.get(name) is None for name in self.attributes):
            return self.impersonal()
        content = self.content.rendered(values)
        subject = self.subject.rendered(values) if self.subject else ""
        if content is None or subject is None:
            return self.impersonal()
        return Said(content, _line(subject), personal=True)


def plain(text: str) -> Wording:
    """Return the wording that always says the same."""
    return Wording(content=Template(source=text, html=False, attributes=(), parts=(text,)))


def _line(text: str) -> str:
    r"""Return a text as one line: a subject is a header, and what a customer wrote himself may not add another.

    >>> _line("Hello\r\nBcc: all@example.org")
    'Hello Bcc: all@example.org'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
