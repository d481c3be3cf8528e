"""What a decision is and leaves behind, after the words of the rules, in plain loops over dicts; slow, and on its own.

Nothing of the product is imported: what agrees with this was understood twice. Times are milliseconds; goodwill is
counted in thousandths of a point.
"""

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

DAY: Final = 86_400_000
MINUTE: Final = 60_000
AHEAD: Final = {"Asia/Tokyo": 9 * 60}
"""Minutes that the clocks of the one zone that is drawn are ahead; they are never changed. Without a zone: of UTC."""

NEVER: Final = 2**63 - 1
CONDITIONS: Final = ("eligibility", "applicability", "suitability")
PURPOSE: Final = "recommendations"
USE: Final = f"use:purchases:{PURPOSE}"

Tables = Mapping[str, Any]
"""A campaign's file, or a contact policy's, as TOML reads it."""

Limit = tuple[str, int, int, list[int]]
"""A rule, how many it lets be, in how many days, and when those were that it counts."""

MEANT: Final[Mapping[str, Callable[[Any], bool | None]]] = {
    "months_since_purchase <= 12": lambda it: None if it["months"] is None else it["months"] <= 12,
    "months_since_purchase > 2": lambda it: None if it["months"] is None else it["months"] > 2,
    "spend_past_year > 10": lambda it: None if it["spend"] is None else it["spend"] > 10,
    "TRUE": lambda _: True,
}
"""What each condition that is drawn says of a customer's facts: None where it can't be known."""


@dataclass
class Contact:
    """A contact, or a ghost, with what it said of itself when it was made."""

    customer: str
    at: int
    treatment: str
    told: dict[str, Any]
    ghost: bool
    charge: int
    decision: str = ""
    turned_down: int | None = None
    marketing: bool = True
    settled: int | None = None
    waits: bool = False
    """It was reserved by a run, and nobody has sent it yet."""
    delivered: bool = False
    handed_out: int | None = None

    @property
    def since(self) -> int:
        """From when on it counts: when it was handed out to be sent, and until then when it was reserved."""
        return self.at if self.handed_out is None else self.handed_out


@dataclass
class Person:
    """What a customer permits and wishes, until when he paused, what is remembered of him, and when outcomes came."""

    granted: set[str]
    facts: dict[str, Any]
    paused_until: int = 0
    limits: dict[str, tuple[int, int]] = field(default_factory=dict)
    quiet: tuple[int, int] | None = None
    came: list[int] = field(default_factory=list)


@dataclass
class Decided:
    """What came of one customer: who won (None: leave alone), to whom it went, by which rule each candidate left."""

    customer: str
    chosen: str | None
    ghost: str | None
    rules: dict[str, str]


@dataclass
class Shop:
    """Everything there is."""

    people: dict[str, Person] = field(default_factory=dict)
    contacts: list[Contact] = field(default_factory=list)
    accounts: dict[str, list[int]] = field(default_factory=dict)
    promises: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    taken: dict[tuple[str, int, str], int] = field(default_factory=dict)
    """What is taken of each quota, by campaign, version (0: all) and key."""
    homes: dict[str, str] = field(default_factory=dict)
    """What the household is called that somebody is in; who is in none is left out."""

    def decide(self, who: str, campaign: Tables, rules: Tables, *, at: int, now: int, cuts: "Cuts") -> Decided:
        """Decide for one customer as of `at`, by what he permits `now`, and write down what follows."""
        moment = _Moment(self, who, campaign, rules, at=at, now=now)
        left = {each["key"]: moment.refusal(each) for each in campaign["treatment"]}
        worth = {each["key"]: moment.worth(each) for each in campaign["treatment"]}
        word = {each["key"]: moment.breaks_word(each) for each in campaign["treatment"]}
        full = {pair.treatment: rule for pair in moment.pairs() if (rule := behind(pair, cuts))}
        left |= {key: left[key] or rule for key, rule in full.items()}
        winner, best = None, 0.0
        for key, rule in left.items():
            if not rule and not word[key] and worth[key] > best:
                winner, best = key, worth[key]
        keys = list(left)
        for key, rule in list(left.items()):
            if rule or key == winner:
                continue
            ahead = worth[key] > best or (
                worth[key] == best and winner is not None and keys.index(key) < keys.index(winner)
            )
            if worth[key] <= 0:
                left[key] = "worth_nothing"
            else:
                left[key] = word[key] if word[key] and ahead else "outranked"
        if moment.control:
            early = ("hard_stop", "audience", *CONDITIONS, "unknown", "permission:")
            left = {key: rule if rule.startswith(early) else moment.control for key, rule in left.items()}
        if winner:
            moment.keep(next(each for each in campaign["treatment"] if each["key"] == winner))
        control = moment.control
        return Decided(who, None if control else winner, winner if control else None, left)

    # -------------------------------------------------------------------------------- what there is only so much of

    def quotas(self, campaign: Tables, rules: Tables) -> "list[Limited]":
        """Return a campaign's quotas, by the version that stands in its tables."""
        about = campaign["campaign"]
        if about.get("class", "marketing") != "marketing":
            return []
        found = [
            Limited(
                f"volume:{each['key']}", (about["key"], campaign["version"], f"volume:{each['key']}"), each["limit"],
                {one["key"] for one in campaign["treatment"]
                 if one["key"] in each.get("treatments", [one["key"]])
                 and one["channel"] in each.get("channels", [one["channel"]])},
                {},
            )
            for each in campaign.get("volume", [])
        ]  # fmt: skip
        prices = {
            one["key"]: round(rules.get("goodwill", {}).get("prices", {}).get(one["channel"], 0) * 1000)
            for one in campaign["treatment"]
        }
        prices = {key: price for key, price in prices.items() if price}
        if about.get("goodwill_budget") and prices:
            whole = (about["key"], 0, "goodwill_budget")
            found.append(Limited("goodwill_budget", whole, about["goodwill_budget"] * 1000, set(prices), prices))
        return found

    def live(self, who: str, campaign: Tables, rules: Tables, *, at: int, now: int) -> Decided:
        """Decide for one who comes now, and takes of what there is left."""
        quotas = self.quotas(campaign, rules)
        left = {each.key: each.limit - self.taken.get(each.row, 0) for each in quotas}
        cuts, _ = serve(_Moment(self, who, campaign, rules, at=at, now=now).pairs(), left, quotas)
        made = self.decide(who, campaign, rules, at=at, now=now, cuts=(quotas, cuts))
        self.take(made, quotas, left)
        return made

    def rank(self, campaign: Tables, rules: Tables, *, at: int, now: int) -> "Aside":
        """Go through everybody who isn't held out, the best first, and set aside what a run will give out."""
        quotas = self.quotas(campaign, rules)
        left = {each.key: each.limit - self.taken.get(each.row, 0) for each in quotas}
        moments = [_Moment(self, who, campaign, rules, at=at, now=now) for who in self.people]
        cuts, given = serve([pair for one in moments if not one.control for pair in one.pairs()], left, quotas)
        for each in quotas:
            self.taken[each.row] = self.taken.get(each.row, 0) + given[each.key]
            if left[each.key] < min(each.prices.values(), default=1):
                cuts[each.key] = FIRST
        return Aside(quotas, cuts, given)

    def chunk(self, whose: list[str], campaign: Tables, rules: Tables, aside: "Aside", *, at: int, now: int) -> Any:
        """Walk the decisions of a run's chunk: by the run's cuts, and never more than is left of what was set aside."""
        cuts = dict(aside.cuts)
        while ends := self.tighter(whose, campaign, rules, (aside.quotas, cuts), aside.left, at=at, now=now):
            cuts |= ends
        for who in whose:
            made = self.decide(who, campaign, rules, at=at, now=now, cuts=(aside.quotas, cuts))
            if made.chosen:
                self.contacts[-1].waits = True
                for each in aside.quotas:
                    if made.chosen in each.treatments:
                        aside.left[each.key] -= self.contacts[-1].charge if each.prices else 1
            yield made

    def tighter(
        self,
        whose: list[str],
        campaign: Tables,
        rules: Tables,
        cuts: "Cuts",
        left: dict[str, int],
        *,
        at: int,
        now: int,
    ) -> dict[str, Any]:
        """Try what comes of deciding in turn by these cuts; return where quotas end for want of room, if any do."""
        if not cuts[0]:
            return {}
        trial, pairs = copy.deepcopy(self), []
        for who in whose:
            moment = _Moment(trial, who, campaign, rules, at=at, now=now)
            pairs += [pair for pair in moment.pairs() if not moment.control and not behind(pair, cuts)]
            trial.decide(who, campaign, rules, at=at, now=now, cuts=cuts)
        return serve(pairs, left, cuts[0])[0]

    def give_back(self, aside: "Aside") -> None:
        for each in aside.quotas:
            self.taken[each.row] -= aside.left[each.key]

    def take(self, made: Decided, quotas: "list[Limited]", left: dict[str, int]) -> None:
        for each in quotas:
            if made.chosen in each.treatments:
                amount = self.contacts[-1].charge if each.prices else 1
                assert amount <= left[each.key]
                self.taken[each.row] = self.taken.get(each.row, 0) + amount

    def balance(self, who: str, opening: int) -> int:
        return sum(self.accounts[who]) if who in self.accounts else opening

    # ------------------------------------------------------------------------------------------------ what comes back

    def debit(self, who: str, amount: int, rules: Tables) -> None:
        """Book what something costs, under the rules that hold now; nothing, where it costs nothing."""
        if amount:
            self.accounts.setdefault(who, [opening(rules)]).append(-amount)

    def opted_out(self, who: str, rules: Tables) -> None:
        self.debit(who, thousandths(rules, "opt_out"), rules)

    def complained(self, who: str, rules: Tables) -> None:
        lines = self.accounts.setdefault(who, [opening(rules)])
        lines.append(-max(sum(lines), 0))

    def credited(self, who: str, kind: str, rules: Tables) -> None:
        amount = round(rules.get("goodwill", {}).get("credits", {}).get(kind, 0) * 1000)
        if amount:
            lines = self.accounts.setdefault(who, [opening(rules)])
            lines.append(max(0, min(amount, lines[0] - sum(lines))))

    def settle(self, rules: Tables, windows: Mapping[str, int], *, now: int) -> None:
        """Book the contacts whose window is over and of which nothing came, those of whoever paused not at all."""
        order = sorted((one for one in self.contacts if one.settled is None), key=lambda one: (one.at, one.customer))
        for key, days in sorted(windows.items()):
            over = (one for one in order if key in one.told["campaigns"] and one.since + days * DAY <= now)
            for one in (each for each in over if not each.waits):  # what nobody sent can't have been ignored
                one.settled, person = now, self.people[one.customer]
                answered = one.turned_down or any(one.since <= when < one.since + days * DAY for when in person.came)
                if one.marketing and not one.ghost and not answered and person.paused_until <= now:
                    self.debit(one.customer, thousandths(rules, "ignored"), rules)


@dataclass
class Limited:
    """What there is only so much of: which treatments take of it, one each or (with prices) what they cost."""

    key: str
    row: tuple[str, int, str]
    limit: int
    treatments: set[str]
    prices: dict[str, int]


@dataclass
class Aside:
    """What was set aside for a run, where it ends, and what is left of it."""

    quotas: list[Limited]
    cuts: dict[str, Any]
    left: dict[str, int]


@dataclass
class Pair:
    """A customer and a treatment that he could get: its place in the order, and what it costs."""

    place: tuple[float, int, str, int]
    treatment: str
    charge: int
    control: bool


FIRST: Final = (-1e300, -1, "", 0)
Cuts = tuple[list[Limited], dict[str, Any]]


def behind(pair: Pair, cuts: Cuts) -> str:
    """Return the first quota that ends before a pair, "" for none."""
    quotas, ends = cuts
    mine = [each.key for each in quotas if pair.treatment in each.treatments]
    return next((key for key in mine if key in ends and pair.place >= ends[key]), "")


def serve(pairs: list[Pair], room: Mapping[str, int], quotas: list[Limited]) -> tuple[dict[str, Any], dict[str, int]]:
    """Go through pairs, the best first; return where each quota ended, and what was given of it."""
    left, ends, served = dict(room), dict[str, Any](), set()
    for pair in sorted(pairs, key=lambda each: each.place):
        mine = [each for each in quotas if pair.treatment in each.treatments]
        if pair.place[2] in served or any(each.key in ends for each in mine):
            continue
        takes = {each.key: pair.charge if each.prices else 1 for each in mine}
        tight = [key for key, amount in takes.items() if amount > left[key]]
        ends |= dict.fromkeys(tight, pair.place)
        if not tight:
            served.add(pair.place[2])
            for key, amount in takes.items():
                left[key] -= 0 if pair.control else amount
    return ends, {key: amount - left[key] for key, amount in room.items()}


class _Moment:
    """One customer, one campaign, one instant."""

    def __init__(self, shop: Shop, who: str, campaign: Tables, rules: Tables, *, at: int, now: int) -> None:
        self.shop, self.who, self.campaign, self.rules, self.at, self.now = shop, who, campaign, rules, at, now
        self.person = shop.people[who]
        self.about = campaign["campaign"]
        self.marketing = self.about.get("class", "marketing") == "marketing"
        holdout = self.about["holdout"]
        text = f"{holdout['salt']}|{self.about['key']}|{who}"
        bucket = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10_000
        self.control = "holdout" if self.marketing and bucket < round(holdout["share"] * 10_000) else ""
        company = rules.get("holdout", {"share": 0, "salt": ""})
        text = f"{company['salt']}|*|{who}"
        bucket = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % 10_000
        if self.marketing and bucket < round(company["share"] * 10_000):
            self.control = "company_holdout"
        self.offers = {each["key"]: each for each in campaign["offer"]}
        self.goodwill = rules.get("goodwill", {})
        self.prices = self.goodwill.get("prices", {}) if self.marketing else {}
        self.opening = opening(rules)
        self.permits = USE in self.person.granted and self.person.paused_until <= now
        known = self.person.facts if self.permits else {"months": None, "spend": None}
        self.facts = known

    # ----------------------------------------------------------------------------------------------------- the funnel

    def refusal(self, each: Tables) -> str:
        """Return the first rule before arbitration that refuses a candidate, "" for none."""
        contact = f"contact:{each['channel']}:{PURPOSE}"
        if self.person.paused_until > self.now:
            return "hard_stop"
        if unfit := self.unfit(self.offers[each["offer"]]):
            return unfit
        for scope in (contact, USE):
            if scope not in self.person.granted:
                return f"permission:{scope}"
        return self.held_back(each) or self.below_the_floor(each)

    def unfit(self, offer: Tables) -> str:
        """Return by which condition it is not for him, "" for none; one may be unknown only for want of permission."""
        answer = MEANT[self.about["audience"]](self.facts)
        answers = {name: MEANT[offer.get(name, "TRUE")](self.facts) for name in CONDITIONS}
        known = [name for name, each in answers.items() if each is False]
        if answer is False or (answer is None and self.permits):
            return "unknown" if answer is None else "audience"
        return known[0] if known else "unknown" if None in answers.values() and self.permits else ""

    def pairs(self) -> list[Pair]:
        """Return what he would get if there were enough of everything."""
        last = max(self.those({}), default=0)
        return [
            Pair((-worth, last, self.who, spot), each["key"], self.charge(each), bool(self.control))
            for spot, each in enumerate(self.campaign["treatment"])
            if not self.refusal(each) and not self.breaks_word(each) and (worth := self.worth(each)) > 0
        ]

    def told(self, each: Tables) -> dict[str, Any]:
        return {
            "channels": {each["channel"]}, "purposes": {PURPOSE}, "tags": set(self.about.get("tags", [])),
            "campaigns": {self.about["key"]}, "offers": {each["offer"]},
            "families": {self.offers[each["offer"]]["family"]},
        }  # fmt: skip

    def held_back(self, each: Tables) -> str:
        """Return the rule about hours and past contacts that frees last; of several, the one that is named first."""
        told, channel = self.told(each), each["channel"]
        found = [self.hours(channel)]
        if self.marketing:
            found += [*self.past(told), self.wished(channel)]
        found = [(rule, frees) for rule, frees in found if frees]
        latest = max((frees for _, frees in found), default=0)
        return next((rule for rule, frees in found if frees == latest), "")

    def hours(self, channel: str) -> tuple[str, int]:
        """Return the first rule by which it is quiet now, and when the first minute comes that none is quiet in."""
        spans = [
            (each["key"], minutes(span["start"]), minutes(span["end"]))
            for each in (self.rules.get("hours", []) if self.marketing else [])
            for span in each["quiet"]
            if channel in each.get("channels", [channel])
        ]
        spans += [("own_hours", *self.person.quiet)] if self.person.quiet else []
        if self.person.quiet and not self.rules.get("hours") and not self.rules.get("fallback_zones"):
            return "hours:own_hours", NEVER  # nothing tells where he is
        ahead = max((AHEAD[zone] for zone in self.rules.get("fallback_zones", [])), default=0)
        named = [key for key, start, end in spans if inside(self.at, start, end, ahead)]
        if not named:
            return "", 0
        minute = self.at - self.at % MINUTE
        for later in range(1, 2 * 24 * 60):
            if not any(inside(minute + later * MINUTE, start, end, ahead) for _, start, end in spans):
                return f"hours:{named[0]}", minute + later * MINUTE
        return f"hours:{named[0]}", NEVER

    def wished(self, channel: str) -> tuple[str, int]:
        """Return when he lets himself be reached on a channel, by what he said of it and of all together."""
        frees = [
            self.at_most(most, days, self.those({} if key == "*" else {"channels": [key]}))
            for key, (most, days) in self.person.limits.items()
            if key in ("*", channel)
        ]
        return f"wish:{channel}", max(frees, default=0)

    def past(self, told: Mapping[str, Any]) -> list[tuple[str, int]]:
        """Return each rule that binds a candidate, with when it frees: 0 where it lets him through."""
        limits = [*self.capped(told), *self.excluded(told), *self.resting(told)]
        found = [(rule, self.at_most(limit, days, when)) for rule, limit, days, when in limits]
        for order in self.rules.get("order", []):
            if fits(order["then"], told):
                came = any(when > self.at - order["days"] * DAY for when in self.those(order["first"]))
                found.append((f"order:{order['key']}", 0 if came else NEVER))
        return found

    def capped(self, told: Mapping[str, Any]) -> Iterator[Limit]:
        for prefix, caps in (("cap", self.campaign.get("cap", [])), ("company", self.rules.get("cap", []))):
            for cap in caps:
                if fits(cap, told):
                    together = cap.get("per") == "household"
                    yield f"{prefix}:{cap['key']}", cap["limit"], cap["days"], self.those(cap, together=together)

    def excluded(self, told: Mapping[str, Any]) -> Iterator[Limit]:
        for each in self.rules.get("exclusion", []):
            for side, other in (("one", "other"), ("other", "one")):
                if fits(each[side], told):
                    yield f"exclusion:{each['key']}:{side}", 1, each["days"], self.those(each[other])

    def resting(self, told: Mapping[str, Any]) -> Iterator[Limit]:
        mine = [one for one in self.shop.contacts if one.customer == self.who and one.turned_down]
        for rest in self.rules.get("rest", []):
            for family in told["families"]:
                when = [one.turned_down or 0 for one in mine if family in one.told["families"]]
                yield f"rest:{rest['key']}:{family}", 1, rest["days"], when

    def those(self, wanted: Tables, *, together: bool = False) -> list[int]:
        """Return when his contacts of a kind were, and those of his household.

        Where he is held out, his ghosts count as well: by the company all, by the campaign alone those of this one.
        """
        home, own = self.shop.homes.get(self.who), self.campaign["campaign"]["key"]
        return [
            one.since
            for one in self.shop.contacts
            if fits(wanted, one.told)
            and (
                not one.ghost or self.control == "company_holdout" or (self.control and own in one.told["campaigns"])
                if one.customer == self.who
                else together and home and self.shop.homes.get(one.customer) == home and not one.ghost
            )
        ]

    def at_most(self, limit: int, days: int, when: list[int]) -> int:
        """Return when one more is allowed with at most `limit` in `days`: 0 for now."""
        if limit == 0:
            return NEVER
        late = sorted((each for each in when if each > self.at - days * DAY), reverse=True)
        return late[limit - 1] + days * DAY if len(late) >= limit else 0

    @property
    def balance(self) -> int:
        """What he has, less what his ghosts would have cost that count."""
        ghosts = sum(
            one.charge
            for one in self.shop.contacts
            if one.customer == self.who
            and one.ghost
            and (self.control == "company_holdout" or (self.control and self.about["key"] in one.told["campaigns"]))
        )
        return self.shop.balance(self.who, self.opening) - ghosts

    def charge(self, each: Tables) -> int:
        days = self.goodwill.get("pressure_days", 7)
        lately = [when for when in self.those({}) if when > self.at - days * DAY]
        price: float = self.prices.get(each["channel"], 0)
        return round(price * 1000) * (1 + len(lately))

    def below_the_floor(self, each: Tables) -> str:
        if not self.prices or "floor" not in self.goodwill:
            return ""
        left = self.balance - self.charge(each)
        return "goodwill" if left < self.goodwill["floor"] * 1000 else ""

    def worth(self, each: Tables) -> float:
        offer = self.offers[each["offer"]]
        worth: float = float(each["score"]) * offer["value"] + offer.get("benefit", 0.0) - offer.get("cost", 0.0)
        if self.prices:
            spent = (self.opening - self.balance) / self.opening
            point = self.goodwill.get("price_of_one", 0) * (1 + min(max(spent, 0), 1))
            worth -= point * self.charge(each) / 1000
        return worth

    def breaks_word(self, each: Tables) -> str:
        """Return the rule by which other terms than the promised ones are refused, unless they are as good."""
        offer = self.offers[each["offer"]]
        promise = self.shop.promises.get((self.who, offer["family"]))
        if promise is None or promise["until"] <= self.at or promise["terms"] == terms(offer):
            return ""
        better = None not in (offer.get("grade"), promise["grade"]) and offer["grade"] >= promise["grade"]
        return "" if better else f"commitment:{offer['family']}"

    # ------------------------------------------------------------------------------------------------- what it leaves

    def keep(self, each: Tables) -> None:
        charge = self.charge(each)
        made = Contact(
            self.who, self.at, each["key"], self.told(each), bool(self.control), charge, marketing=self.marketing
        )
        if charge and not self.control:
            self.shop.accounts.setdefault(self.who, [self.opening]).append(-charge)
        offer = self.offers[each["offer"]]
        if offer.get("validity") and not self.control:
            until = self.at + offer["validity"] * DAY
            promise = {"terms": terms(offer), "grade": offer.get("grade"), "until": until, "offer": offer["key"]}
            self.shop.promises[self.who, offer["family"]] = promise
        self.shop.contacts.append(made)


def fits(wanted: Tables, told: Mapping[str, Any]) -> bool:
    """Say whether a contact is one that a rule is about: what it leaves out asks nothing."""
    kinds = ("channels", "purposes", "tags", "campaigns", "offers", "families")
    return all(told[kind].intersection(wanted[kind]) for kind in kinds if wanted.get(kind))


def terms(offer: Tables) -> str:
    return hashlib.sha256(json.dumps(offer["terms"], separators=(",", ":"), sort_keys=True).encode()).hexdigest()


def opening(rules: Tables) -> int:
    return int(1000 * rules.get("goodwill", {}).get("opening", 100))


def thousandths(rules: Tables, name: str) -> int:
    return int(1000 * rules.get("goodwill", {}).get(name, 0))


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def inside(at: int, start: int, end: int, ahead: int) -> bool:
    """Say whether a clock that is so far ahead shows a time from `start` until `end`, which may lie on the next day."""
    shows = (at // MINUTE + ahead) % (24 * 60)
    return start <= shows < end if start < end else shows >= start or shows < end
