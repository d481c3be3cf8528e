"""Policies and customers for property tests, and what a decision means: a slow loop over customers and candidates."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st

from consent import gate
from consent.catalogue.model import Catalogue
from consent.permission.verdict import Reason
from personalise.campaigns.model import Campaign, Holdout, Objective, Offer, Treatment, Volume
from personalise.contact_policy.model import (
    NONE,
    Cap,
    ContactPolicy,
    Exclusion,
    Goodwill,
    Matching,
    Order,
    Rest,
)
from personalise.content.wording import plain
from personalise.language.expressions import condition, number
from personalise.steps.invent.response import Arm, Response
from personalise.steps.personalise.policy import Policy, policy
from tests.builders import catalogue, scope_table
from tests.properties.meant import ATTRIBUTES, CELLS, KINDS, Meant, conditions, numbers

CHANNELS: Final = ("email", "post")
FEATURES: Final = ("visits", "age", "spend", "ratio", "gold")
HARD: Final = {1, 2, 3, 4, 6}
STEPS, LIMIT = 1_024, 16


def shop() -> Catalogue:
    """Return a catalogue in which every attribute has a category of its own."""
    categories = [
        {
            "key": f"category_of_{name}",
            "title": name,
            "origin": "observed",
            "special": False,
            "attributes": {name: kind},
        }
        for name, kind in KINDS.items()
    ]
    asked = [f"contact:{channel}:offers" for channel in CHANNELS]
    asked += [f"{what}:category_of_{name}{to}" for name in KINDS for what, to in (("remember", ""), ("use", ":offers"))]
    return catalogue(category=categories, scope=[scope_table(scope) for scope in asked], recipient=[])


SHOP: Final = shop()


@dataclass(frozen=True)
class Meaning:
    """A policy, and what its expressions mean."""

    policy: Policy
    audience: Meant
    eligible: Mapping[str, Meant | None]
    score: Mapping[str, Meant]


amounts = st.sampled_from([1.0, 0.25, 2.5, 0.0, 1e9])
costs = st.sampled_from([0.0, 0.0, 0.01, 0.5, 1e9])
caps = st.lists(
    st.builds(
        Cap,
        key=st.sampled_from(["a", "b", "c"]),
        channels=st.sampled_from([("email",), ("post",), CHANNELS]),
        limit=st.integers(0, 3),
        days=st.integers(1, 30),
    ),
    max_size=3,
    unique_by=lambda cap: cap.key,
).map(tuple)
some = st.sampled_from([Matching(channels=("email",)), Matching(tags=("sale",)), Matching(families=("f",))])
goodwills = st.builds(
    Goodwill,
    opening=st.sampled_from([10.0, 100.0]),
    floor=st.sampled_from([None, 0.0, 5.0]),
    prices=st.sampled_from([{}, {"email": 1.0}, {"email": 0.5, "post": 2.5}]),
    price_of_one=st.sampled_from([0.0, 0.25]),
)
contact_policies = st.just(NONE) | st.builds(
    ContactPolicy,
    version=st.just(1),
    caps=caps.map(lambda found: tuple(replace(cap, source="law" if cap.limit else "company") for cap in found)),
    exclusions=st.lists(
        st.builds(Exclusion, key=st.just("x"), one=some, other=some, days=st.integers(1, 30)), max_size=1
    ).map(tuple),
    orders=st.lists(st.builds(Order, key=st.just("o"), first=some, then=some, days=st.integers(1, 30)), max_size=1).map(
        tuple
    ),
    rests=st.lists(st.builds(Rest, key=st.just("r"), days=st.integers(1, 30)), max_size=1).map(tuple),
    goodwill=goodwills,
    weight_of_benefit=st.sampled_from([1.0, 0.5, 0.0]),
)
volumes = st.sets(st.sampled_from([("email",), CHANNELS]), max_size=2).map(
    lambda drawn: tuple(Volume(key=f"v{len(each)}", limit=3, channels=each) for each in sorted(drawn))
)
TRUE: Final = Meant("TRUE", lambda _: True)
CONDITION: Final = conditions(1)
NUMBER: Final = numbers(1)
CONDITIONS: Final = st.integers(0, 2).flatmap(lambda drawn: CONDITION if drawn == 1 else st.just(TRUE))
MAYBE: Final = st.integers(0, 2).flatmap(lambda drawn: CONDITION if drawn == 1 else st.none())
PLAIN_NUMBERS: Final = st.sampled_from([0.02, 1.0]).map(lambda it: Meant(str(it), lambda _: it))
NUMBERS: Final = st.booleans().flatmap(lambda drawn: NUMBER if drawn else PLAIN_NUMBERS)
PLAIN: Final = {
    "visits": st.integers(0, 3), "age": st.integers(0, 40), "spend": st.sampled_from([0.5, 1.5, 100.0]),
    "ratio": st.sampled_from([0.25, 0.5]),
}  # fmt: skip
CELL: Final = {name: PLAIN.get(name, CELLS[kind]) | CELLS[kind] for name, kind in KINDS.items()}
UNKNOWN: Final = st.sets(st.sampled_from(list(KINDS)), max_size=2)
weights = st.sampled_from([0.0, -0.0, 0.3, -0.7, 1e-9, 250.0, -1e8])


@st.composite
def models(draw: Any, treatments: list[str]) -> Response:
    """Draw a model with an arm for each treatment and one for nothing."""
    features = tuple(draw(st.lists(st.sampled_from(FEATURES), unique=True, max_size=3)))
    arm = st.builds(
        Arm,
        intercept=weights,
        weights=st.tuples(*(weights for _ in features)),
        rows=st.just(500),
        rate=st.sampled_from([0.05, 0.1, 0.4]),
    )
    return Response(features=features, outcome="visits", arms={key: draw(arm) for key in (*treatments, "none")})


@st.composite
def meanings(draw: Any) -> Meaning:
    """Draw a policy of one to three treatments; a model scores one in three."""
    audience = draw(CONDITIONS)
    names = [f"t{spot}" for spot in range(draw(st.integers(1, 3)))]
    offers = {key: draw(MAYBE) for key in ("first", "second")}
    scores = {key: draw(NUMBERS) for key in names}
    model = draw(models(names)) if draw(st.integers(0, 2)) == 0 else None
    campaign = Campaign(
        key="c", name="c", purpose="offers", benefit="b", person_to_reach="p", way_out="w",
        audience=condition(audience.text, ATTRIBUTES), scorer="uplift" if model else "rule",
        features=model.features if model else (), received="city", measurement="offers",
        goodwill_budget=draw(st.sampled_from([0.0, 50.0])),
        holdout=Holdout(share=draw(st.sampled_from([1_000, 5_000, 0])), salt="s"),
        objective=Objective(key="o", title="t", challenge="c", measure="visits", target=1.0, by=date.max, owner="x"),
        caps=draw(caps), offers=MappingProxyType({key: draw(an_offer(key, meant)) for key, meant in offers.items()}),
        treatments=tuple(
            Treatment(
                key=key, offer=draw(st.sampled_from(["first", "second"])), channel=draw(st.sampled_from(CHANNELS)),
                wording=plain(""), score=number(scores[key].text, ATTRIBUTES),
                lever=draw(st.sampled_from([1.0, 1.0, 0.5, 2.0])),
            )
            for key in names
        ),
        body="", format="toml", kind=draw(st.sampled_from(["marketing"] * 5 + ["service"])),
        tags=draw(st.sampled_from([(), ("sale",)])), volumes=draw(volumes),
    )  # fmt: skip
    chosen = policy(campaign, 1, SHOP, model, contact_policy=draw(contact_policies))
    return Meaning(chosen, audience, offers, scores)


def an_offer(key: str, meant: Meant | None) -> st.SearchStrategy[Offer]:
    read = condition(meant.text, ATTRIBUTES) if meant else None
    return st.builds(
        Offer, key=st.just(key), family=st.just("f"), terms=st.sampled_from([{}, {"price": 9.5}]),
        eligibility=st.just(read), value=amounts, benefit=costs, cost=costs, grade=st.sampled_from([None, 1, 2]),
    )  # fmt: skip


EMPTY: Final = sha256(b"{}").hexdigest()
PROMISED: Final = sha256(b'{"price":9.5}').hexdigest()
SMALL: Final = st.integers(0, 2)
CUTS: Final = st.sampled_from([0.0, 0.0, 0.02, 0.5, 1.0, 2.5, 1e300])
reasons = st.sampled_from([0] * 120 + list(Reason))
times = st.integers(1_790_000_000_000, 1_790_000_000_003)


def of_quotas(chosen: Policy) -> dict[str, st.SearchStrategy[Any]]:
    """Return what is drawn for each quota: a cut for each customer, as chunks have one for all."""
    fields: dict[str, st.SearchStrategy[Any]] = {}
    if chosen.quotas:
        fields |= {"last_contact": SMALL, "last_ghost": SMALL}
    for quota in chosen.quotas:
        fields |= {
            f"taken:{quota.key}": SMALL, f"cut_worth:{quota.key}": CUTS, f"cut_last:{quota.key}": SMALL,
            f"cut_customer:{quota.key}": st.sampled_from(["", "cus_00000000000000000000000000000001"]),
            f"cut_treatment:{quota.key}": SMALL,
        }  # fmt: skip
    return fields


@st.composite
def customers(draw: Any, chosen: Policy) -> list[dict[str, Any]]:
    """Draw customers as rows; where a use isn't permitted the category's cell is None, as the gate leaves it."""
    fields = {
        "enrolled": st.sampled_from([True] * 7 + [False]),
        "bucket": st.sampled_from([9_999, 9_998, 5_000, 0, 999, 1_000, 4_999]),
        **{f"permit:{scope}": reasons for scope in chosen.scopes},
        **CELL,
    }
    for family in chosen.families:
        fields[f"committed:{family}"] = st.sampled_from([None] * 4 + [PROMISED, "other"])
        fields[f"committed_grade:{family}"] = st.sampled_from([None, 1, 2])
    if chosen.charges:
        fields |= {"goodwill": st.integers(-2_000, 110_000), "pressure": st.integers(0, 3)}
        fields["ghost_pressure"] = st.integers(0, 3)
    for cap in chosen.windows:
        fields |= {f"contacts:{cap.key}": st.integers(0, 3), f"ghosts:{cap.key}": st.integers(0, 3)}
        fields |= {f"contacts_free:{cap.key}": times, f"ghosts_free:{cap.key}": times}
    fields |= of_quotas(chosen)
    rows: list[dict[str, Any]] = draw(st.lists(st.fixed_dictionaries(fields), min_size=3, max_size=9))
    unknown = draw(st.lists(UNKNOWN, min_size=len(rows), max_size=len(rows)))
    for spot, row in enumerate(rows):
        row["customer"] = f"cus_{spot:032x}"
        for name in KINDS:
            if name in unknown[spot] or row.get(f"permit:use:category_of_{name}:offers"):
                row[name] = None
    return rows


def chunk(chosen: Policy, rows: list[dict[str, Any]]) -> pa.Table:
    """Return customers as the columns that `decide` takes."""
    kinds = {name: pa.int64() for name in rows[0]}
    kinds |= {name: pa.uint8() for name in rows[0] if name.startswith("permit:")}
    kinds |= {name: gate.ARROW[kind] for name, kind in KINDS.items()}
    kinds |= {"customer": pa.string(), "enrolled": pa.bool_()}
    kinds |= {name: pa.string() for name in rows[0] if name.startswith(("committed:", "cut_customer:"))}
    kinds |= {name: pa.float64() for name in rows[0] if name.startswith("cut_worth:")}
    unread = KINDS.keys() - set(chosen.attributes)
    return pa.table(
        {name: pa.array([row[name] for row in rows], type=kinds[name]) for name in kinds if name not in unread}
    )


# ------------------------------------------------------------------------------------------------ what a decision means


def decision(meaning: Meaning, row: Mapping[str, Any]) -> dict[str, Any]:
    """Decide for one customer, as one would explain it; rules by their names."""
    chosen = meaning.policy
    exempt = chosen.campaign.kind != "marketing"
    share = 0.0 if exempt else chosen.campaign.holdout.share / 10_000
    held = row["bucket"] / 10_000 < share
    left: dict[str, str] = {}
    worth: dict[str, float] = {}
    prior: dict[str, bool] = {}
    for one in chosen.candidates:
        worth[one.key], prior[one.key] = worth_of(meaning, one, row, held=held)
        left[one.key] = refusal(meaning, one, row, held=held)
    word = {one.key: breaks_word(one, row) for one in chosen.candidates}
    contend = [key for key, rule in left.items() if not rule and not word[key] and worth[key] > 0]
    left |= {key: beyond(meaning, key, worth[key], row, held=held) for key in contend}
    winner = arbitrated(left, worth, word)
    if held:
        left = {key: "holdout" if late(rule) else rule for key, rule in left.items()}
    told: dict[str, Any] = {
        "customer": row["customer"], "chosen": -1 if held else winner, "ghost": winner if held else -1,
        "propensity": 1.0 if winner == -1 else share if held else 1.0 - share,
        "used": sum(1 << bit for bit, key in enumerate(chosen.categories) if row[f"permit:use:{key}:offers"] == 0),
    }  # fmt: skip
    for one in chosen.candidates:
        told |= {
            f"rule:{one.key}": left[one.key],
            f"worth:{one.key}": worth[one.key],
            f"prior:{one.key}": prior[one.key],
        }
    told |= {f"permit:{scope}": row[f"permit:{scope}"] for scope in chosen.scopes}
    for cap in chosen.windows:
        what = "ghosts" if held else "contacts"
        told |= {f"contacts:{cap.key}": row[f"{what}:{cap.key}"], f"free:{cap.key}": row[f"{what}_free:{cap.key}"]}
    if chosen.hours:  # nobody has hours here
        channels = {one.treatment.channel for one in chosen.candidates}
        told |= {f"{what}:{channel}": none for channel in channels for what, none in (("hours", -1), ("hours_free", 0))}
    if chosen.charges:
        told["goodwill"] = row["goodwill"]
        told |= {f"charge:{one.key}": charge(meaning, one, row, held=held) for one in chosen.candidates}
    for quota in chosen.quotas:
        told |= {f"taken:{quota.key}": row[f"taken:{quota.key}"], f"cut:{quota.key}": row[f"cut_worth:{quota.key}"]}
    return told


def beyond(meaning: Meaning, key: str, worth: float, row: Mapping[str, Any], *, held: bool) -> str:
    """Return the first quota that ends before a candidate, "" for none."""
    last = row.get("last_ghost" if held else "last_contact")
    spot = [one.key for one in meaning.policy.candidates].index(key)
    mine = (-worth, last, row["customer"], spot)
    for quota in meaning.policy.quotas:
        end = tuple(row[f"cut_{name}:{quota.key}"] for name in ("worth", "last", "customer", "treatment"))
        if key in quota.treatments and mine >= (-end[0], *end[1:]):
            return quota.key
    return ""


EARLY: Final = ("not_enrolled", "hard_stop", "audience", "eligibility", "unknown")


def late(rule: str) -> bool:
    """Say whether who left by a rule had come past the permissions."""
    return rule not in EARLY and not rule.startswith("permission:")


def arbitrated(left: dict[str, str], worth: Mapping[str, float], broken: Mapping[str, str]) -> int:
    """Write down why those who are left over lose, and return who wins, -1 for leaving alone."""
    winner, best = -1, 0.0
    for spot, key in enumerate(left):
        if not left[key] and not broken[key] and worth[key] > best:
            winner, best = spot, worth[key]
    for spot, key in enumerate(left):
        if not left[key] and spot != winner:
            would_win = worth[key] > best or (worth[key] == best and spot < winner)
            if worth[key] <= 0:
                left[key] = "worth_nothing"
            else:
                left[key] = broken[key] if broken[key] and would_win else "outranked"
    return winner


def breaks_word(one: Any, row: Mapping[str, Any]) -> str:
    """Return the rule by which other terms than the promised ones are refused, "" where they may be offered."""
    family = one.offer.family
    promised, grade = row[f"committed:{family}"], row[f"committed_grade:{family}"]
    if promised is None or promised == (PROMISED if one.offer.terms else EMPTY):
        return ""
    better = one.offer.grade is not None and grade is not None and one.offer.grade >= grade
    return "" if better else f"commitment:{family}"


def charge(meaning: Meaning, one: Any, row: Mapping[str, Any], *, held: bool) -> int:
    """Return what a contact costs in goodwill, in thousandths of a point."""
    price = meaning.policy.contact_policy.goodwill.prices.get(one.treatment.channel, 0.0)
    lately: int = row["ghost_pressure" if held else "pressure"]
    return round(price * 1000) * (1 + lately)


def refusal(meaning: Meaning, one: Any, row: Mapping[str, Any], *, held: bool) -> str:
    """Return the first rule before arbitration that refuses a candidate, "" for none."""
    if not row["enrolled"]:
        return "not_enrolled"
    if row[f"permit:{one.contact}"] in HARD:
        return "hard_stop"
    permitted = all(row[f"permit:{scope}"] == 0 for scope in one.uses)
    for rule, meant in (("audience", meaning.audience), ("eligibility", meaning.eligible[one.offer.key])):
        answer = True if meant is None else meant.of(row)
        if answer is False:
            return rule
        if answer is None and permitted:
            return "unknown"
    for scope in (one.contact, *one.uses):
        if row[f"permit:{scope}"]:
            return f"permission:{scope}"
    what = "ghosts" if held else "contacts"
    binding = [
        each
        for each in one.windows
        if (
            row[f"{what}:{each.key}"] < 1 if each.rule.startswith("order:") else row[f"{what}:{each.key}"] >= each.limit
        )
    ]
    latest = max((row[f"{what}_free:{each.key}"] for each in binding), default=0)
    by_contacts = next((each.rule for each in binding if row[f"{what}_free:{each.key}"] == latest), "")
    return by_contacts or by_goodwill(meaning, one, row, held=held)


def by_goodwill(meaning: Meaning, one: Any, row: Mapping[str, Any], *, held: bool) -> str:
    """Return the rule by which what is left of the goodwill refuses a contact, "" where it doesn't."""
    floor = meaning.policy.contact_policy.goodwill.floor
    if not meaning.policy.charges or floor is None:
        return ""
    left = row["goodwill"] - charge(meaning, one, row, held=held)
    return "goodwill" if left < floor * 1000 else ""


def worth_of(meaning: Meaning, one: Any, row: Mapping[str, Any], *, held: bool) -> tuple[float, bool]:
    """Return what a candidate is worth to one customer, and whether a prior stood in."""
    offer, model = one.offer, meaning.policy.model
    if model:
        chance, prior = added(model, one.key, row)
    else:
        found: Any = meaning.score[one.key].of(row)
        prior = found is None or not math.isfinite(float(found) * offer.value * one.treatment.lever)
        chance = 0.0 if prior else float(found) + 0.0
    rules = meaning.policy.contact_policy
    worth = chance * offer.value * one.treatment.lever + (rules.weight_of_benefit * offer.benefit - offer.cost)
    if meaning.policy.charges:
        opening = rules.goodwill.opening * 1000
        spent = min(max((opening - row["goodwill"]) / opening, 0.0), 1.0)
        worth -= rules.goodwill.price_of_one * (1.0 + spent) * (charge(meaning, one, row, held=held) / 1000)
    return worth, prior


def added(model: Response, treatment: str, row: Mapping[str, Any]) -> tuple[float, bool]:
    """Return how much a treatment adds, and whether the plain rates stood in."""
    arms = [model.arms[treatment], model.arms["none"]]
    cells = [row[name] for name in model.features]
    totals = []
    for arm in arms:
        total = arm.intercept
        for cell, weight in zip(cells, arm.weights, strict=True):
            usable = cell is not None and math.isfinite(cell)
            total += weight * float(cell) if usable else math.nan
        totals.append(total)
    if any(math.isnan(total) for total in totals):
        return arms[0].rate - arms[1].rate, True
    likely, anyway = (chance(total) for total in totals)
    return likely - anyway, False


def chance(total: float) -> float:
    """Return the logistic function, in steps."""
    step = round(min(max(total, -LIMIT), LIMIT) * STEPS)
    return 1.0 / (1.0 + math.exp(-step / STEPS))
