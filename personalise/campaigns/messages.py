"""PURE: rules over what a customer gets to read: is it honest, is there a person, is there a way out?

A program can't judge taste. It can find a message without a way out, a placeholder that was left in, a threat of "last
chance": what nobody's mother would approve, whatever the campaign is for.

What a message has to say must stand in its general wording, and in its own whatever is known of the customer; what it
may not say may stand nowhere.
"""

import re
from collections.abc import Iterator
from typing import Final

from personalise.campaigns.judging import Case, Flaw, Heading, Rule, Weight
from personalise.campaigns.model import Treatment
from personalise.contact_policy.model import HELD_BACK
from personalise.content import markup, parts
from personalise.content.parts import Parts
from personalise.content.wording import Wording

OURS: Final = frozenset({"web", "site", "app", "inapp", "in-app", "shop", "desk"})
"""Surfaces of the company that the customer comes to himself: he leaves them as he came."""

_SHORT: Final = frozenset({"sms", "push", "whatsapp"})
"""Channels whose messages have no room for more than the way out; the sender's number leads to a person."""

_SPOKEN: Final = "phone"
_SMS_SIGNS: Final = 160
_MOST_SIGNS: Final = 2_000
_LONG_SENTENCE: Final = 30
_MARKS: Final = 3
_SHOUTED: Final = 4

_BLANK: Final = re.compile(
    r"\W*(tbd|tba|todo|to do|n ?/? ?a|none|nobody|nothing|no|xxx+|lorem ipsum.*|offen|keine?|)\W*", re.IGNORECASE
)
_UNFINISHED: Final = re.compile(r"lorem ipsum|\b(TODO|TBD|XXX+)\b|[<\[](insert|your|hier|name)\b", re.IGNORECASE)
_WAY_OUT: Final = re.compile(
    r"\bstop|unsubscri|\bopt(ing)?[ -]?out\b|no more of|way_out|abbestell|abmeld|désabonn|désinscri|退订|取消订阅",
    re.IGNORECASE,
)
_PERSON: Final = re.compile(
    r"\S+@\S+\.\w|https?://|\bwww\.|\+?\d[\d ()/.-]{6,}\d|\b(reply|call us|write to us|ask us|answer this)\b"
    r"|person_to_reach|antworten sie|rufen sie|schreiben sie|répondez|appelez|écrivez|致电|回复",
    re.IGNORECASE,
)
_REASON: Final = re.compile(
    r"\bbecause\b|\byou (asked|allowed|said|told|chose|ordered|bought)\b|\bweil\b|\bsie haben\b|\bparce que\b"
    r"|\bvous avez\b|因为|您",
    re.IGNORECASE,
)
_PRESSING: Final = re.compile(
    r"last chance|act now|hurry|only today|today only|don't miss|while stocks last|once in a lifetime|risk[- ]free"
    r"|you('ve| have) won|100 ?% free|guaranteed|letzte chance|nur heute|nur noch|dernière chance|dépêchez"
    r"|最后机会|仅限今天",
    re.IGNORECASE,
)
_BARRIER: Final = re.compile(
    r"(?<!without )(?<!no )(?<!needn't )\b"
    r"(sign(ing)?[ -]?in|log(ging)?[ -]?in|password|registered (letter|post|mail))\b",
    re.IGNORECASE,
)
_OF_THE_COMPANY: Final = re.compile(r"\b(our (sales|revenue|turnover|profit|margin)|we sell more|cross-?sell|upsell)\b")


def _spot(spot: int, key: str = "content") -> str:
    return f"treatment[{spot}].{key}"


def _texts(wording: Wording, *, subjects: bool) -> Iterator[tuple[str, Parts]]:
    """Walk what a treatment says, by the keys of its file; of an HTML mail, what is read of it."""
    texts = {"content": wording.content, "general": wording.general}
    if subjects:
        texts |= {"subject": wording.subject, "general_subject": wording.general_subject}
    yield from ((key, each.parts) for key, each in texts.items() if each)
    for key, mail in (("mjml", wording.mail), ("general_mjml", wording.general_mail)):
        if mail:
            yield key, markup.readable(mail.html.parts)


def _sent(case: Case) -> Iterator[tuple[Treatment, str, Parts]]:
    """Walk the messages that come to the customer, of a campaign he could do without: (treatment, where, words)."""
    if case.campaign.kind == HELD_BACK:
        for spot, each in enumerate(case.campaign.treatments):
            if each.channel not in OURS:
                yield from ((each, _spot(spot, key), words) for key, words in _texts(each.wording, subjects=False))


def _written(case: Case) -> Iterator[tuple[Treatment, str, str]]:
    """Walk all that treatments may say, subjects too: (treatment, where, text)."""
    for spot, each in enumerate(case.campaign.treatments):
        for key, words in _texts(each.wording, subjects=True):
            yield each, _spot(spot, key), parts.whole(words)


def _benefit(case: Case) -> Iterator[Flaw]:
    if _BLANK.fullmatch(case.campaign.benefit):
        yield Flaw("It doesn't say what the customer has of it.", "campaign.benefit", "Finish “You …”, as to a friend.")


def _person(case: Case) -> Iterator[Flaw]:
    if _BLANK.fullmatch(case.campaign.person_to_reach):
        do = "Name the desk, how it is reached, and when."
        yield Flaw("Whoever has a question finds nobody.", "campaign.person_to_reach", do)


def _way_out(case: Case) -> Iterator[Flaw]:
    if _BLANK.fullmatch(case.campaign.way_out):
        yield Flaw("There is no way out of it.", "campaign.way_out", "Say how a customer stops it, in one step.")


def _easy_way_out(case: Case) -> Iterator[Flaw]:
    if _BARRIER.search(case.campaign.way_out):
        what = "Whoever wants out has to take a hurdle first."
        yield Flaw(what, "campaign.way_out", "Let a link or one word do, without signing in.")


def _for_the_customer(case: Case) -> Iterator[Flaw]:
    if _OF_THE_COMPANY.search(case.campaign.benefit.lower()):
        what = "The benefit that it states is the company's."
        yield Flaw(
            what, "campaign.benefit", "Say what is better for the customer; what is better for us is the target."
        )


def _says(words: Parts, pattern: re.Pattern[str], told: str = "") -> bool:
    """Say whether a message says something whatever is known: what fits a pattern, or what the campaign told."""
    return parts.always(words, lambda text: bool(pattern.search(text) or (told and told in text)))


def _message_way_out(case: Case) -> Iterator[Flaw]:
    for each, where, words in _sent(case):
        if not _says(words, _WAY_OUT, case.campaign.way_out):
            do = "Say in it how to stop: a link in a mail, STOP in a text message, a word on the telephone."
            yield Flaw(f"{each.key} doesn't say how to stop such messages.", where, do)


def _message_person(case: Case) -> Iterator[Flaw]:
    for each, where, words in _sent(case):
        if each.channel in _SHORT or each.channel == _SPOKEN:
            continue
        if not _says(words, _PERSON, case.campaign.person_to_reach):
            do = "Put an address or a number into it, and have somebody there who answers."
            yield Flaw(f"{each.key} leads to no person who could be asked.", where, do)


def _message_reason(case: Case) -> Iterator[Flaw]:
    for each, where, words in _sent(case):
        if not _says(words, _REASON):
            do = "Add a sentence: “You get this because you allowed us to …”."
            yield Flaw(f"{each.key} doesn't say why the customer gets it.", where, do)


def _honest(case: Case) -> Iterator[Flaw]:
    for each, where, text in _written(case):
        found = _PRESSING.search(text)
        if found:
            do = "Say until when it holds, and leave the hurry out."
            yield Flaw(f"{each.key} presses: “{found.group()}”.", where, do)


def _finished(case: Case) -> Iterator[Flaw]:
    for each, where, text in _written(case):
        found = _UNFINISHED.search(text)
        if found:
            yield Flaw(f"{each.key} is unfinished: “{found.group()}”.", where, "Write what is missing.")


def _short(case: Case) -> Iterator[Flaw]:
    for spot, each in enumerate(case.campaign.treatments):
        most = _SMS_SIGNS if each.channel == "sms" else _MOST_SIGNS
        for key, words in _texts(each.wording, subjects=False):
            signs = parts.longest(words)
            if signs > most:
                what = f"{each.key} has {signs:,} signs, more than the {most:,} that anybody reads there."
                yield Flaw(what, _spot(spot, key), "Say the one thing, and leave the rest to a page.")


def _plain(case: Case) -> Iterator[Flaw]:
    for each, where, text in _written(case):
        longest = max((len(sentence.split()) for sentence in re.split(r"[.!?。！？]\s|\n\s*\n", text)), default=0)  # noqa: RUF001 -- Chinese sentences end so
        if longest > _LONG_SENTENCE:
            yield Flaw(f"A sentence of {each.key} has {longest} words.", where, "Make two of it.")


def _readable(case: Case) -> Iterator[Flaw]:
    for each, where, text in _written(case):
        loud = [word for word in text.split() if len(word) > 1 and word.isupper() and word.isalpha()]
        if len(loud) >= _SHOUTED or "!" * _MARKS in text:
            what = f"{each.key} shouts, and whoever has it read out to him hears it spelt."
            yield Flaw(what, where, "Write it in small letters, with one mark at the end.")


RULES: Final = (
    Rule(key="benefit", heading=Heading.FAIR, weight=Weight.MUST, judge=_benefit),
    Rule(key="message_reason", heading=Heading.FAIR, weight=Weight.SHOULD, judge=_message_reason),
    Rule(key="message_honest", heading=Heading.FAIR, weight=Weight.SHOULD, judge=_honest),
    Rule(key="benefit_for_customer", heading=Heading.GOALS, weight=Weight.SHOULD, judge=_for_the_customer),
    Rule(key="message_short", heading=Heading.TIME, weight=Weight.SHOULD, judge=_short),
    Rule(key="way_out", heading=Heading.FLEXIBLE, weight=Weight.MUST, judge=_way_out),
    Rule(key="message_way_out", heading=Heading.FLEXIBLE, weight=Weight.GATE, judge=_message_way_out),
    Rule(key="way_out_easy", heading=Heading.FLEXIBLE, weight=Weight.SHOULD, judge=_easy_way_out),
    Rule(key="message_finished", heading=Heading.SIMPLE, weight=Weight.MUST, judge=_finished),
    Rule(key="message_plain", heading=Heading.SIMPLE, weight=Weight.SHOULD, judge=_plain),
    Rule(key="person_to_reach", heading=Heading.EASY, weight=Weight.MUST, judge=_person),
    Rule(key="message_person", heading=Heading.EASY, weight=Weight.GATE, judge=_message_person),
    Rule(key="message_readable", heading=Heading.ACCESSIBLE, weight=Weight.SHOULD, judge=_readable),
)
