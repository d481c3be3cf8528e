"""`/api/v1/decisions`: what to do about one customer now; the contact is reserved before the answer is out."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from flask import Blueprint, Response
from marshmallow import fields

from api.actors import actor
from api.rest.contract import Contract, answer, answer_ready, contract
from api.rest.incoming import body, customer_in_body, idempotency_key, no_query, query
from api.rest.shapes import (
    CUSTOMER,
    LANGUAGE,
    MISSING,
    TIME,
    Choice,
    Flag,
    Form,
    Instant,
    Items,
    Part,
    Shape,
    Text,
    Whole,
)
from api.rest.verdicts import LARGEST
from api.roles import action
from api.wiring import here
from consent.base.ids import CustomerId
from personalise import engine
from personalise.campaigns.model import SCORERS
from personalise.content.mail import LONGEST_MAIL
from personalise.life.approving import LONGEST_REASON
from personalise.responses import outcomes, rejections

KEY: Final = r"^[a-z][a-z0-9_-]{0,62}$"
DECISION: Final = r"^dec_[0-9a-f]{32}\.[0-9]{1,9}$"

blueprint: Final = Blueprint("decisions", __name__, url_prefix="/api/v1")


class DecideForm(Form):
    """Whom to decide about, in which campaign, and on which channel if it has to be one."""

    customer = Text(
        36, 36, CUSTOMER, "is not a customer's id",
        metadata={"description": "left out for a visitor whom nobody knows; then the channel is one that he came to"},
    )  # fmt: skip
    campaign = Text(1, 63, KEY, "is not a campaign's key", required=True)
    channel = Text(1, 63, KEY, "is not a channel's key")
    carried = Flag(
        metadata={"description": "true: it is carried out here, so it may wait, and whoever is held back for now is "
                                 "decided about again; false: you act on the answer at once"}
    )  # fmt: skip


class CandidateForm(Form):
    """What became of one candidate: where it left the funnel, by which rule, what was observed, against which limit."""

    candidate = Text(1, 63, required=True)
    stage = Text(1, 63, required=True)
    rule = Text(1, 200, required=True, allow_none=True)
    observed = fields.Raw(required=True, allow_none=True, metadata={"type": ["string", "number"]})
    limit = fields.Raw(required=True, allow_none=True, metadata={"type": ["string", "number"]})
    allowed_from = Text(
        24, 24, TIME, required=True, allow_none=True, metadata={"description": "when it would be allowed"}
    )


class InsteadForm(Form):
    """What a customer is shown who came to you himself and can't be chosen for: chosen and worded for nobody."""

    treatment = Text(1, 63, KEY, required=True)
    content = Text(1, 20_000, required=True)
    subject = Text(1, 2_000, required=True, allow_none=True)
    html = Text(1, LONGEST_MAIL, required=True, allow_none=True)


class DecisionForm(Form):
    """One decision, and why."""

    decision = Text(
        38, 60, DECISION, required=True, allow_none=True,
        metadata={"description": "null: of a visitor whom nobody knows, and of a simulation, nothing is kept"},
    )  # fmt: skip
    customer = Text(36, 36, CUSTOMER, required=True, allow_none=True)
    campaign = Text(1, 63, KEY, required=True)
    chosen = Text(1, 63, required=True, allow_none=True, metadata={"description": "null: leave the customer alone"})
    content = Text(
        1, 20_000, required=True, allow_none=True,
        metadata={"description": "what he is told; null also where it was made of his data, and is asked for later"},
    )  # fmt: skip
    subject = Text(1, 2_000, required=True, allow_none=True)
    html = Text(
        1,
        LONGEST_MAIL,
        required=True,
        allow_none=True,
        metadata={"description": "the same as an HTML mail, if there is one"},
    )
    wording = Choice(("personal", "general"), required=True, allow_none=True)
    instead = Part(
        InsteadForm, required=True, allow_none=True,
        metadata={"description": "what to show him on a surface of yours where he doesn't permit to be chosen for: "
                                 "nothing of him is used, and it is no contact"},
    )  # fmt: skip
    propensity = fields.Float(required=True, metadata={"minimum": 0, "maximum": 1})
    scorer = Choice(SCORERS, required=True)
    scored_on = Items(
        Text(1, 63), 0, 1_000, required=True, allow_none=True,
        metadata={"description": "features that a model scored on; empty for a prior, null where rules score"},
    )  # fmt: skip
    verdicts = Items(Part(CandidateForm), 1, 201, required=True)
    explanation = Text(1, 2_000, required=True, metadata={"description": "one sentence for the customer"})
    categories_used = Items(Text(1, 63), 0, 100, required=True)
    position = Whole(0, LARGEST, required=True, metadata={"description": "size of the ledger when it was judged"})
    personalised = Flag(required=True, metadata={"description": "false: nothing of the customer was used"})


class SimulateForm(Form):
    """About whom to decide, by what, and why somebody wants to know."""

    customer = Text(36, 36, CUSTOMER, "is not a customer's id", required=True)
    campaign = Text(1, 63, KEY, "is not a campaign's key", required=True)
    version = Whole(1, LARGEST, metadata={"description": "of the campaign, also one that isn't approved; the newest, "
                                          "where left out"})  # fmt: skip
    contact_policy = Whole(0, LARGEST, metadata={"description": "its version; the newest, where left out; 0 is none"})
    channel = Text(1, 63, KEY, "is not a channel's key")
    reason = Text(1, LONGEST_REASON, required=True, metadata={"description": "why; it stays, so it may name nobody"})


class SimulatedForm(DecisionForm):
    """A decision that would be made, and by what. Nothing of it is kept, so `decision` is null."""

    version = Whole(1, LARGEST, required=True)
    contact_policy = Whole(0, LARGEST, required=True, metadata={"description": "0: none"})


class ReadForm(Form):
    """In which language the customer's sentence is wanted."""

    language = Text(2, 35, LANGUAGE, "is not a language's tag")


class ReplayForm(Form):
    """What came of making a decision again."""

    decision = Text(38, 60, DECISION, required=True)
    outcome = Choice(
        ("same", "differs", "gone", "unread"),
        required=True,
        metadata={"description": "gone: it can't be made again any more; unread: it should be, and could not"},
    )
    columns = Items(Text(1, 200), 0, 1_000, required=True, metadata={"description": "those that came out otherwise"})
    replay = Text(0, 64, r"^[0-9a-f]*$", required=True, metadata={"description": "the replay hash that was logged"})
    why = Text(0, 2_000, required=True)


class OutcomeForm(Form):
    """What came of a decision, by what its campaign is measured by, and when."""

    value = fields.Raw(
        required=True,
        error_messages=MISSING,
        metadata={"type": ["boolean", "number"], "description": "true, false or a number"},
    )
    came_at = Instant(required=True)


class OutcomeRecordedForm(Form):
    """What became of an outcome."""

    decision = Text(38, 60, DECISION, required=True)
    customer = Text(36, 36, CUSTOMER, required=True)
    measure = Text(1, 63, required=True)
    came_at = Instant(required=True)
    outcome = Choice(
        ("stored", "repeated", "refused"),
        required=True,
        metadata={"description": "refused: the customer doesn't allow to remember it"},
    )


class TurnedDownForm(Form):
    """That a customer turned down what he was offered: the offer's family rests from then on."""

    decision = Text(38, 60, DECISION, required=True)
    customer = Text(36, 36, CUSTOMER, required=True)
    family = Text(0, 63, required=True)
    turned_down_at = Instant(required=True)
    repeated = Flag(required=True, metadata={"description": "it was told before, and nothing has changed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An outcome, as it came in."""

    value: bool | int | float
    came_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A decision that is asked for."""

    campaign: str
    customer: str = ""
    channel: str = ""
    carried: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulation that is asked for."""

    customer: str
    campaign: str
    reason: str
    version: int = 0
    contact_policy: int | None = None
    channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a decision is to be told."""

    language: str = "en"


DECIDE: Final = Shape(DecideForm, Asked)
SIMULATE: Final = Shape(SimulateForm, Simulation)
READ: Final = Shape(ReadForm, Reading)
OUTCOME: Final = Shape(OutcomeForm, Outcome)


@blueprint.post("/decisions")
@action("decisions.make")
@contract(
    Contract(
        summary="Decide what to do about a customer, and reserve the contact",
        body=DecideForm,
        answer=DecisionForm,
        idempotent=True,
        wrong={
            404: "`customer_unknown` (who isn't enrolled is decided for on a channel of yours alone, such as `web`) or "
            "`campaign_unknown`",
            409: "`idempotency_conflict`: the key stood for another customer, campaign, channel or `carried`; "
            "`state_conflict`: the campaign is paused, its version was stopped, or none is approved where two people "
            "are demanded; `campaign_unready`: every version breaks a rule that binds",
            422: "`request_unfit`: no treatment of the campaign goes by the channel; `campaign_invalid`: the catalogue "
            "has changed so that the campaign no longer holds",
        },
    )
)
def decide() -> Response:
    """Decide once, by the newest version of the campaign and all rules about contacts.

    The answer is out only after the decision is logged and the contact reserved: act on it at once, or say `carried` to
    have it carried out here. That the customer is to be left alone, or has not permitted it, is an answer (200), not an
    error: `chosen` is null, and `verdicts` say of each candidate where it left the funnel, by which rule, and from when
    on it would be allowed; on a surface of yours `instead` says what to show him without choosing for him. Asked again
    under the same idempotency key, the same decision comes out of the log.
    """
    key, asked = idempotency_key(), body(DECIDE)
    with customer_in_body():
        made = here().deciding.decide(
            CustomerId(asked.customer) if asked.customer else None, campaign=asked.campaign,
            channel=asked.channel,
            actor=actor.current().name, idempotency_key=key, four_eyes=here().settings.demands_four_eyes,
            carried=asked.carried,
        )  # fmt: skip
    return answer_ready({**made.as_json(), "personalised": bool(made.categories_used)})


@blueprint.post("/decisions:simulate")
@action("decisions.simulate")
@contract(
    Contract(
        summary="Tell what would be decided about a customer by any version of a campaign, and keep nothing",
        body=SimulateForm,
        answer=SimulatedForm,
        wrong={
            404: "`customer_unknown`, `campaign_unknown` or `contact_policy_unknown`: no such customer, key or version",
            422: "`request_unfit`: no treatment of the campaign goes by the channel; `campaign_invalid`: the catalogue "
            "has changed so that one of them no longer holds",
        },
    )
)
def simulate() -> Response:
    """Decide as of now, and reserve, log and take nothing; that his data were read is written down, and why.

    The version need not be approved, and may be paused or stopped. What would be worded by the customer's data is not
    opened: `content` is null then.
    """
    no_query()
    asked = body(SIMULATE)
    with customer_in_body():
        made = engine.simulate(
            here().deployment, CustomerId(asked.customer), campaign=asked.campaign, version=asked.version,
            contact_policy=asked.contact_policy, channel=asked.channel, actor=actor.current().name,
            reason=asked.reason,
        )  # fmt: skip
    return answer(SimulatedForm, {**made.as_json(), "personalised": bool(made.decision.categories_used)})


@blueprint.get("/decisions/<decision>")
@action("decisions.show")
@contract(
    Contract(
        summary="Show a decision as it was logged, with the whole of its funnel",
        query=ReadForm,
        answer=DecisionForm,
        errors=(404,),
    )
)
def show(decision: str) -> Response:
    """Show one decision, of a live call or a run; nothing of the customer is opened for it.

    What was worded by the customer's data is not kept, and not shown: `content` is null then.
    """
    made = engine.decided(here().deployment, decision, language=query(READ).language)
    return answer(DecisionForm, {**made.as_json(), "personalised": bool(made.categories_used)})


@blueprint.post("/decisions/<decision>:replay")
@action("decisions.replay")
@contract(
    Contract(
        summary="Make a decision again from what it was made from, and hold it against the log",
        answer=ReplayForm,
        errors=(404,),
    )
)
def replay(decision: str) -> Response:
    """Replay one decision; that its inputs were opened is written down.

    `same`: bit for bit. `differs`: in `columns`. `gone`: it can't be made again any more, and needn't be, as of a
    customer who was erased. `unread`: it should be there, and does not open.
    """
    no_query()
    came = engine.replay(here().deployment, decision, actor=actor.current().name)
    return answer(ReplayForm, came.as_json())


@blueprint.post("/decisions/<decision>/outcome")
@action("outcomes.record")
@contract(
    Contract(
        summary="Record what came of a decision, as far as its customer allows; the same once more changes nothing",
        body=OutcomeForm,
        answer=OutcomeRecordedForm,
        wrong={
            404: "`decision_unknown`, or `customer_unknown`: he is not here any more",
            422: "`request_unfit`: the time is before the decision or to come, or the measure is not of that type",
        },
    )
)
def outcome(decision: str) -> Response:
    """Remember an outcome, and when it came, as the campaign's measure of this customer.

    `stored`: it is remembered. `repeated`: it was told before, and nothing changed. `refused`: the customer doesn't
    allow to remember it, which is an answer and no error.
    """
    given = body(OUTCOME)
    done = outcomes.record(here().deployment, decision, given.value, came_at=given.came_at)
    return answer(OutcomeRecordedForm, done.as_json())


@blueprint.post("/decisions/<decision>:turn-down")
@action("outcomes.record")
@contract(
    Contract(
        summary="Record that the customer turned down what he was offered, so that offers of its family rest",
        answer=TurnedDownForm,
        errors=(404, 409),
    )
)
def turn_down(decision: str) -> Response:
    """Note a no, thank you."""
    no_query()
    return answer(TurnedDownForm, rejections.turn_down(here().deployment, decision).as_json())
