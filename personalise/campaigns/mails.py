"""PURE: rules over HTML mails: does all of it arrive, can everybody read it, and does nobody watch who opens it?"""

import re
from collections.abc import Iterator
from typing import Final

from personalise.campaigns.judging import Case, Flaw, Heading, Rule, Weight
from personalise.content import parts
from personalise.content.elements import Element
from personalise.content.mail import Mail

_CLIPPED: Final = 102_000
"""Bytes of HTML after which Gmail cuts a mail off, less a margin for what sending adds.

Source: Gmail shows "[Message clipped]" from 102 KB on.
"""

_PICTURES: Final = frozenset({"mj-image", "img"})
_ADDRESSES: Final = ("src", "background-url")
_DOT: Final = re.compile(r"[0-2](px|%)?")


def _mails(case: Case) -> Iterator[tuple[str, str, Mail]]:
    """Walk the HTML mails: (treatment, where, mail)."""
    for spot, each in enumerate(case.campaign.treatments):
        for key, mail in (("mjml", each.wording.mail), ("general_mjml", each.wording.general_mail)):
            if mail:
                yield each.key, f"treatment[{spot}].{key}", mail


def _whole(case: Case) -> Iterator[Flaw]:
    for treatment, where, mail in _mails(case):
        size = parts.longest(mail.html.parts, lambda text: len(text.encode()))
        if size > _CLIPPED:
            what = f"{treatment} has {size:,} bytes of HTML: Gmail cuts it off after {_CLIPPED:,}, the way out with it."
            yield Flaw(what, where, "Say the one thing, in fewer sections.")


def _described(case: Case) -> Iterator[Flaw]:
    for treatment, where, mail in _mails(case):
        bare = [each for each in mail.elements if each.name in _PICTURES and "alt" not in each.attributes]
        if bare:
            what = f"{_counted(len(bare))} of {treatment} without words: who can't see it, or blocks it, has nothing."
            do = 'Write what it says: alt="…"; of one that only adorns: alt="".'
            yield Flaw(what, where, do)


def _unwatched(case: Case) -> Iterator[Flaw]:
    for treatment, where, mail in _mails(case):
        watching = [each for each in mail.elements if _watches(each, mail)]
        if watching:
            what = f"{_counted(len(watching))} of {treatment} tells whoever serves it who opens the mail, and when."
            do = "Show the same picture to everybody, large enough to be seen; what came of it, outcomes say."
            yield Flaw(what, where, do)


def _watches(element: Element, mail: Mail) -> bool:
    """Say whether a picture is another one for each customer, or one that nobody sees."""
    if any(mail.varies(element.attributes.get(name, "")) for name in _ADDRESSES):
        return True
    sizes = (element.attributes.get(name, "") for name in ("width", "height"))
    return element.name in _PICTURES and any(_DOT.fullmatch(size.strip()) for size in sizes)


def _counted(many: int) -> str:
    return "A picture" if many == 1 else f"{many} pictures"


RULES: Final = (
    Rule(key="mail_whole", heading=Heading.FLEXIBLE, weight=Weight.SHOULD, judge=_whole),
    Rule(key="mail_described", heading=Heading.ACCESSIBLE, weight=Weight.SHOULD, judge=_described),
    Rule(key="mail_unwatched", heading=Heading.SECURE, weight=Weight.SHOULD, judge=_unwatched),
)
