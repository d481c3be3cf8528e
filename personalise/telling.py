"""A decision as it is told: what was chosen, what the customer is told, and why."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypedDict

from consent.base.ids import CustomerId, DecisionId
from personalise.content.wording import Said
from personalise.runs import visiting
from personalise.runs.log import Chunk
from personalise.steps.invent.response import PRIOR
from personalise.steps.personalise import words
from personalise.steps.personalise.explanation import CandidateVerdict, explanation, verdicts
from personalise.steps.personalise.policy import Policy
from personalise.steps.personalise.sentences import spoken
from personalise.steps.personalise.words import WORDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Instead:
    """What a customer is shown who came himself and can't be chosen for: the same as everybody whom nobody knows."""

    treatment: str
    content: str
    subject: str | None
    html: str | None

    def as_json(self) -> dict[str, Any]:
        """Return it as the faces show it."""
        return {"treatment": self.treatment, "content": self.content, "subject": self.subject, "html": self.html}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """One decision: what was chosen (None: leave alone), and why.

    A visitor whom nobody knows has ids of "", and what is not kept has an id of "".
    """

    id: DecisionId
    customer: CustomerId
    campaign: str
    chosen: str | None
    content: str | None
    """What he is told; None where he is left alone, or it isn't settled before it is sent, or was made of his data."""
    subject: str | None
    html: str | None
    """The same as an HTML mail; None where there is none, or as for the content."""
    wording: Literal["personal", "general"] | None
    """Whether what he is told was made of what is known of him; None where that isn't settled."""
    instead: Instead | None
    propensity: float
    scorer: str
    """What scored it: `rule`, or `response`, `uplift`, `thompson` by a model."""
    scored_on: tuple[str, ...] | None
    """The features that a model scored it on: none where a prior stood in. None where rules score."""
    verdicts: tuple[CandidateVerdict, ...]
    explanation: str
    categories_used: tuple[str, ...]
    position: int

    def as_json(self) -> dict[str, Any]:
        """Return the decision as the faces show it."""
        return {
            "decision": self.id or None,
            "customer": self.customer or None,
            "campaign": self.campaign,
            "chosen": self.chosen,
            "content": self.content,
            "subject": self.subject,
            "html": self.html,
            "wording": self.wording,
            "instead": self.instead.as_json() if self.instead else None,
            "propensity": self.propensity,
            "scorer": self.scorer,
            "scored_on": None if self.scored_on is None else list(self.scored_on),
            "verdicts": [each.as_json() for each in self.verdicts],
            "explanation": self.explanation,
            "categories_used": list(self.categories_used),
            "position": self.position,
        }


def settled(policy: Policy, row: dict[str, Any], kept: Chunk) -> Said | None:
    """Return what was said by a decision, as far as the log tells: not what was made of data, nor what is yet to be."""
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    later = kept.run or kept.about.get("carried")  # worded when it leaves, by what is permitted then
    if one is None or row.get(WORDING) or (later and one.wording_uses):
        return None
    return words.said(one, None)


def told(
    policy: Policy, row: dict[str, Any], kept: Chunk, *, spot: int, said: Said | None, language: str = "en"
) -> Decision:
    """Return the decision at a place of a chunk, with what was said."""
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=DecisionId(f"{kept.id}.{spot}"),
        customer=CustomerId(row["customer"]),
        campaign=kept.campaign,
        chosen=one.key if one else None,
        **_words(said, personal=bool(row.get(WORDING))),
        instead=None if kept.run or kept.about.get("carried") else _instead(policy, row, kept.at),
        propensity=row["propensity"],
        **_scored(policy, row),
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy, language=language),
        categories_used=tuple(key for bit, key in enumerate(kept.about["categories"]) if row["used"] >> bit & 1),
        position=kept.position,
    )


def unknown(policy: Policy, row: dict[str, Any], *, position: int) -> Decision:
    """Return the decision about a visitor of whom nothing is known, and nothing kept."""
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=DecisionId(""),
        customer=CustomerId(""),
        campaign=policy.campaign.key,
        chosen=one.key if one else None,
        **_words(words.said(one, None) if one else None),
        instead=None,
        propensity=row["propensity"],
        **_scored(policy, row),
        verdicts=tuple(verdicts(row, policy)),
        explanation=spoken("en").unknown,
        categories_used=(),
        position=position,
    )


def _instead(policy: Policy, row: dict[str, Any], at: datetime) -> Instead | None:
    """Return what is shown instead, where whoever asked has somebody before him."""
    one = visiting.instead(policy, row, at)
    if one is None:
        return None
    said = words.said(one, None)
    return Instead(treatment=one.key, content=said.content, subject=said.subject or None, html=said.html or None)


def simulated(policy: Policy, row: dict[str, Any], *, position: int, at: datetime) -> Decision:
    """Return the decision that would be made about a customer, and of which nothing is kept.

    What would be worded by his data is not opened for that, and not told.
    """
    one = policy.candidates[row["chosen"]] if row["chosen"] >= 0 else None
    return Decision(
        id=DecisionId(""),
        customer=CustomerId(row["customer"]),
        campaign=policy.campaign.key,
        chosen=one.key if one else None,
        **_words(words.said(one, None) if one and not one.wording_uses else None),
        instead=_instead(policy, row, at),
        propensity=row["propensity"],
        **_scored(policy, row),
        verdicts=tuple(verdicts(row, policy)),
        explanation=explanation(row, policy),
        categories_used=tuple(key for bit, key in enumerate(policy.categories) if row["used"] >> bit & 1),
        position=position,
    )


class _Scored(TypedDict):
    scorer: str
    scored_on: tuple[str, ...] | None


def _scored(policy: Policy, row: dict[str, Any]) -> _Scored:
    """Return by what, and on what, a decision was scored."""
    model = policy.model
    if model is None:
        return _Scored(scorer="rule", scored_on=None)
    number = row.get("scored_by", PRIOR if all(row[f"prior:{one.key}"] for one in policy.candidates) else 0)
    features = () if number == PRIOR else (model, *model.subsets)[number].features
    return _Scored(scorer=policy.campaign.scorer, scored_on=features)


class _Told(TypedDict):
    content: str | None
    subject: str | None
    html: str | None
    wording: Literal["personal", "general"] | None


def _words(said: Said | None, *, personal: bool = False) -> _Told:
    """Return how a decision tells what was said; `personal` is what was logged of it."""
    if said is None:
        return _Told(content=None, subject=None, html=None, wording="personal" if personal else None)
    wording: Literal["personal", "general"] = "personal" if said.personal else "general"
    return _Told(content=said.content, subject=said.subject or None, html=said.html or None, wording=wording)
