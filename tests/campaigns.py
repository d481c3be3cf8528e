"""A campaign to test with, the policy made of it, customers as columns, and a world with customers to run it on.

The campaign has three treatments: a mail and a text message about the same range, and a letter. Its catalogue is the
shipped one, so the same campaign is decided in pure tests and published in flows.
"""

import copy
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from consent import gate
from consent.base.clock import to_ms
from consent.base.ids import CustomerId, RunId
from consent.catalogue.model import Catalogue, published
from consent.catalogue.reading import DEFAULT, read_catalogue
from consent.deployment import Deployment
from personalise import reservations, shelf
from personalise.campaigns.model import Campaign
from personalise.campaigns.reading import parse_campaign
from personalise.contact_policy.model import NONE, ContactPolicy
from personalise.contact_policy.reading import parse_contact_policy
from personalise.decide import decide
from personalise.goodwill import opening
from personalise.life import deferring
from personalise.reach import dispatch
from personalise.reach.dispatch import Message
from personalise.runs import log
from personalise.runs import run as runs
from personalise.runs.log import Chunk
from personalise.steps.interact.states import Did
from personalise.steps.invent.response import Arm, Response
from personalise.steps.personalise.policy import Policy, policy
from tests.builders import START, toml
from tests.world import World

PURPOSE: Final = "recommendations"
MAIL, TEXT, LETTER = "contact:email:recommendations", "contact:sms:recommendations", "contact:post:recommendations"
PURCHASES, INTERESTS = "use:purchases:recommendations", "use:interests:recommendations"
NEEDED: Final = (MAIL, TEXT, LETTER, PURCHASES, INTERESTS, "remember:purchases", "remember:interests")
"""The scopes that a customer grants for every treatment to be possible."""

TABLES: Final[Mapping[str, Any]] = {
    "objective": {
        "key": "visits", "title": "More visits", "challenge": "Few come back.", "measure": "visited", "target": 0.02,
        "by": "2026-12-31", "owner": "The head of the shop",
    },
    "campaign": {
        "key": "spring", "name": "Spring", "purpose": PURPOSE, "benefit": "You hear of what suits you.",
        "person_to_reach": "The desk", "way_out": "A link", "audience": "months_since_purchase <= 12",
        "holdout": {"share": 0.1, "salt": "s"},
    },
    "cap": [{"key": "mail", "channels": ["email"], "limit": 2, "days": 30}],
    "offer": [
        {"key": "range", "family": "spring", "terms": {"prices": "as in the shop"}, "value": 1.0, "cost": 0.01,
         "eligibility": "spend_past_year > 10"},
        {"key": "guide", "family": "spring", "terms": {}, "value": 2.0, "benefit": 0.5, "cost": 0.25},
    ],
    "treatment": [
        {"key": "mail", "offer": "range", "channel": "email", "content": "By mail.", "score": "0.05"},
        {"key": "text", "offer": "range", "channel": "sms", "content": "By text.",
         "score": "0.001 * purchases_count"},
        {"key": "letter", "offer": "guide", "channel": "post", "content": "By post.",
         "score": "CASE WHEN main_interest = 'garden' THEN 0.1 ELSE -0.2 END"},
    ],
}  # fmt: skip
"""A campaign's file, as a TOML or JSON file reads it."""

ROW: Final[Mapping[str, Any]] = {
    "enrolled": True, "bucket": 9_999, "months_since_purchase": 3, "spend_past_year": 50.0, "purchases_count": 7,
    "main_interest": "tea",
}  # fmt: skip
"""A customer whom all treatments may reach: a mail is worth 0.04, a text -0.003, a letter -0.15."""


def tables(**changes: Any) -> dict[str, Any]:
    """Return `TABLES` as dicts that a test may change; a dict among `changes` is merged into the table."""
    made = copy.deepcopy(dict(TABLES))
    for key, change in changes.items():
        made[key] = {**made[key], **change} if isinstance(change, dict) else change
    return made


def ready(**changes: Any) -> dict[str, Any]:
    """Return `TABLES` with all that the check asks for, so that nothing is left to advise but a dry run."""
    made = tables()
    made["objective"] |= {"window_days": 14, "minimum_effect": 0.02, "baseline": 0.1}
    made["campaign"] |= {"goodwill_budget": 100.0}
    made["cap"] = [{"key": "all", "channels": ["email", "sms", "post"], "limit": 2, "days": 30}]
    for offer in made["offer"]:
        offer["terms"] = {"prices": "as in the shop"}
    for each in made["treatment"]:
        each["content"] += " You allowed us to suggest things. Questions: desk@shop.example. STOP ends this."
    for key, change in changes.items():
        made[key] = {**made[key], **change} if isinstance(change, dict) else change
    return made


def shop() -> Catalogue:
    """Return the shipped catalogue as published first."""
    draft = read_catalogue(DEFAULT)
    return published(draft, 1, {each.scope: bit for bit, each in enumerate(draft.in_order)})


SHOP: Final = shop()


def campaign(**changes: Any) -> Campaign:
    """Return the campaign with some of its tables changed."""
    return parse_campaign(toml(tables(**changes)), "toml", SHOP)


def the_policy(model: Response | None = None, **changes: Any) -> Policy:
    """Return the policy of the campaign with some of its tables changed, under a contact policy (`rules`)."""
    rules: ContactPolicy = changes.pop("rules", NONE)
    return policy(campaign(**changes), 1, SHOP, model, contact_policy=rules)


def model(
    *features: str,
    outcome: str = "visited",
    arms: Sequence[str] = ("mail", "text", "letter", "none"),
    intercept: float = 0.1,
) -> Response:
    """Return a model in which every arm is alike."""
    arm = Arm(intercept=intercept, weights=(0.5,) * len(features), rows=1_000, rate=0.5)
    return Response(features=features, outcome=outcome, arms=dict.fromkeys(arms, arm))


def columns(chosen: Policy, *rows: Mapping[str, Any]) -> pa.Table:
    """Return customers as the columns that `decide` takes: each like `ROW` but for what its dict says.

    Where a use isn't permitted the category's attributes are null, as the gate leaves them.
    """
    plain: dict[str, Any] = {**ROW, **{f"permit:{scope}": 0 for scope in chosen.scopes}}
    for window in chosen.windows:
        plain |= {f"{what}:{window.key}": 0 for what in ("contacts", "contacts_free", "ghosts", "ghosts_free")}
    plain |= {f"committed:{family}": None for family in chosen.families}
    plain |= {f"committed_grade:{family}": None for family in chosen.families}
    if chosen.charges:
        plain |= {"goodwill": opening(chosen.contact_policy.goodwill), "pressure": 0, "ghost_pressure": 0}
    whole = []
    for number, row in enumerate(rows):
        one = {"customer": f"cus_{number:032x}", **plain, **row}
        for name in chosen.attributes:
            category = chosen.catalogue.attributes[name].category
            if one[f"permit:use:{category}:{chosen.campaign.purpose}"]:
                one[name] = None
        whole.append(one)
    kinds = {name: gate.ARROW[chosen.catalogue.attributes[name].type] for name in chosen.attributes}
    kinds |= {name: pa.uint8() if name.startswith("permit:") else pa.int64() for name in plain if ":" in name}
    kinds |= {"customer": pa.string(), "enrolled": pa.bool_(), "bucket": pa.int64()}
    kinds |= {f"committed:{family}": pa.string() for family in chosen.families}
    kinds |= {name: pa.int64() for name in ("goodwill", "pressure", "ghost_pressure") if chosen.charges}
    return pa.table({name: pa.array([row[name] for row in whole], type=kind) for name, kind in kinds.items()})


def decided(chosen: Policy, *rows: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Decide for customers like `ROW` and return a dict a customer; rules by their names."""
    found: list[dict[str, Any]] = decide(columns(chosen, *rows), chosen, START).to_pylist()
    for row in found:
        row |= {name: chosen.rules[row[name]] for name in row if name.startswith("rule:")}
    return found


def rules(chosen: Policy, **row: Any) -> list[str]:
    """Return by which rule each candidate of one customer left, "" for the one that was chosen."""
    [found] = decided(chosen, row)
    return [found[f"rule:{one.key}"] for one in chosen.candidates]


# -------------------------------------------------------------------------------------------------------- in a world


def publish(world: World, **changes: Any) -> str:
    """Publish the campaign with some of its tables changed, and return its key."""
    made = tables(**changes)
    if made["campaign"].get("class", "marketing") != "marketing":
        serving(world)
    text = toml(made)
    with world.store.write() as work:
        read = parse_campaign(text, "toml", world.deployment.desk.catalogues.current(work))
        shelf.publish(work, read, actor=world.mia, at=world.clock())
    return read.key


def serving(world: World) -> None:
    """Have the catalogue say that the campaign's purpose is service, so that it may be of another class."""
    with world.store.read() as work:
        body = world.deployment.desk.catalogues.current(work).body
    begin, purpose, rest = body.partition(f'key = "{PURPOSE}"')
    if "marketing = true" in rest.partition("[[")[0]:
        world.publish(begin + purpose + rest.replace("marketing = true", "marketing = false", 1))


def open_run(deployment: Deployment, key: str, *, actor: str) -> RunId:
    """Open a run of what was published, without asking whether it was approved."""
    with deployment.store.write() as work:
        shelf.lock(work, key)
        return runs.opened(deployment, work, key, actor=actor, at=deployment.clock())


def fill(world: World, count: int, *, seed: int = 7) -> list[CustomerId]:
    """Enrol customers of all kinds: of some everything is known and allowed, of others little or nothing."""
    drawn = random.Random(seed)  # noqa: S311 -- made-up customers
    who = world.enrol(*(f"C{number:05d}" for number in range(count)))
    said = []
    for customer in who:
        granted = [scope for scope in NEEDED if drawn.random() < 0.85]
        if granted:
            said.append(world.statement(customer, "grant", *granted))
    world.say(*said)
    facts = [(customer, _facts(drawn)) for customer in who]
    with world.store.write() as work:
        gate.remember(world.deployment.desk, work, facts, at=world.clock())
    return who


def short(world: World, customers: int) -> World:
    """Fill a world with customers of all kinds, many held out, and a campaign with too little of everything."""
    fill(world, customers)
    goodwill = {"goodwill": {"opening": 50, "prices": {"email": 1}}}
    with world.store.write() as work:
        ruled = parse_contact_policy(json.dumps(goodwill), "json", world.deployment.desk.catalogues.current(work))
        shelf.publish_contact_policy(world.deployment.desk, work, ruled, actor=world.mia, at=world.clock())
    mail, text, letter = TABLES["treatment"]
    publish(
        world, treatment=[{**mail, "score": "0.002 * purchases_count"}, text, letter],
        volume=[{"key": "desk", "channels": ["email"], "limit": 40}, {"key": "all", "channels": ["post"], "limit": 5}],
        campaign={"holdout": {"share": 0.3, "salt": "s"}, "goodwill_budget": 30},
    )  # fmt: skip
    return world


def _facts(drawn: random.Random) -> dict[str, Any]:
    known = {
        "months_since_purchase": drawn.randrange(1, 16),
        "spend_past_year": round(drawn.random() * 100, 2),
        "purchases_count": drawn.randrange(0, 40),
        "main_interest": drawn.choice(["garden", "tea"]),
    }
    return {name: value for name, value in known.items() if drawn.random() < 0.9}


def willing(world: World, count: int) -> list[CustomerId]:
    """Enrol customers who allow everything, and who fit every treatment; return them in the order of a run."""
    who = sorted(world.enrol(*(f"W{number:05d}" for number in range(count))))
    world.say(*(world.statement(customer, "grant", *NEEDED) for customer in who))
    known = {name: value for name, value in ROW.items() if name not in ("enrolled", "bucket")}
    with world.store.write() as work:
        gate.remember(world.deployment.desk, work, [(customer, known) for customer in who], at=world.clock())
    return who


def decisions(world: World, run: str) -> dict[str, tuple[Any, ...]]:
    """Return what a run decided for each customer, from its log: every column, in the order of the columns."""
    found: dict[str, tuple[Any, ...]] = {}
    for chunk in chunks(world, run):
        for row in chunk.table.to_pylist():
            found[row.pop("customer")] = tuple(row.items())
    return found


def chunks(world: World, run: str | None = None) -> list[Chunk]:
    """Return the logged chunks of a run, or of everything, in the order of the ledger."""
    with world.store.read() as work:
        return [log.read(work, identity) for identity in log.chunk_ids(work, run)]


def contacts(world: World, status: str = "reserved") -> list[tuple[Any, ...]]:
    """Return the contacts of a status, all that is said of them but the decision's id, by customer."""
    query = (
        "SELECT customer, campaign, treatment, offer, channel, purpose, status, reserved_at FROM contact "
        "WHERE status = :status ORDER BY customer, reserved_at"
    )
    return world.rows(query, status=status)


def claim(world: World, contact: tuple[Any, str], *, lease_seconds: float = 60) -> Any:
    """Ask the dispatch gate for the message of a contact (customer, decision), now: a `Message`, or a `Refusal`."""
    with world.store.write() as work:
        return dispatch.claim(
            world.deployment.desk, work, *contact, actor="sender", at=world.clock(), lease_seconds=lease_seconds
        )


def told(world: World, contact: tuple[Any, str], did: Did, *, token: int | None = None) -> str:
    """Tell what happened to a contact, now, and return how it stands."""
    with world.store.write() as work:
        return str(reservations.change(work, *contact, did, at=world.clock(), token=token))


def sent(world: World) -> int:
    """Send all that may be sent now; return how many that were."""
    with world.store.read() as work:
        waiting = reservations.waiting(work, world.clock(), 10_000)
    count = 0
    for each in waiting:
        message = claim(world, each)
        if isinstance(message, Message):
            told(world, each, Did.SEND, token=message.token)
            count += 1
    return count


def deferred(world: World, **only: Any) -> list[tuple[Any, ...]]:
    """Return the deferrals: customer, campaign, rule, state, due and end of life in days from now on, by customer."""
    query = "SELECT customer, campaign, rule, state, due_at, expires_at FROM deferral ORDER BY customer, made_at"
    start = to_ms(only.get("since", START))
    return [(*row[:4], *((at - start) / 86_400_000 for at in row[4:])) for row in world.rows(query)]


def again(world: World, **how: Any) -> int:
    """Decide again for everybody who is due, now; return how many deferrals that took."""
    total = 0
    while found := deferring.decide_again(world.deployment, actor="worker", **{"four_eyes": False, **how}):
        total += found
    return total


def bits(array: Any) -> bytes:
    """Return a column's bytes."""
    return np.ascontiguousarray(np.asarray(array)).tobytes()


def same_bits(left: pa.Table, right: pa.Table) -> bool:
    """Say whether two tables have the same columns, bit for bit."""
    return left.schema.equals(right.schema) and all(
        left[name].to_pylist() == right[name].to_pylist()
        if name == "customer"
        else bits(left[name]) == bits(right[name])
        for name in left.column_names
    )


def keys(found: Sequence[Any]) -> list[str]:
    """Return the keys of candidates."""
    return [each.key for each in found]
