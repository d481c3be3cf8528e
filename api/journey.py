"""The main job from end to end: what customers said and are comes in, a campaign runs on it, and an audit proves it.

`make hillstrom` walks it with a real experiment's customers, `byleave demo` with made-up ones; both are the same steps.
"""

import resource
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from api.checks import CHECKS
from api.founding import found
from api.settings import Settings
from api.wiring import House
from consent.audit import run as audits
from consent.base.clock import Clock, system_clock
from consent.base.ids import CustomerId, Scope
from consent.catalogue.reading import DEFAULT
from consent.deployment import Deployment
from consent.imports import customers as customer_import
from consent.imports import outcomes as outcome_import
from consent.imports import statements as statement_import
from consent.imports.mapping import FileMapping, read_mapping
from consent.imports.passes import Options
from consent.ledger import verify
from consent.permission.statement import Act, Method, Statement
from consent.register import customers, proving, recording
from personalise import audit_checks, learning
from personalise.campaigns.reading import read_campaign
from personalise.contact_policy.reading import DEFAULT as CONTACT_POLICY
from personalise.contact_policy.reading import read_contact_policy
from personalise.learning import Learned
from personalise.life import approving, ruling, running
from personalise.measure.effects import Effect
from personalise.responses.outcomes import note_brought
from personalise.runs import dry_run
from personalise.shop import generator

Tell = Callable[[str, int, int], None]
"""Called with a step's name, how much of it is done, and how much there is."""

EVERY: Final = 10
"""Every tenth customer withdraws."""

_CHUNK: Final = 2_000
_ACTOR: Final = "journey"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The files of one company: what its customers said, who they are, what came of it, and its campaign."""

    catalogue: Path
    statements: Path
    statements_mapping: Path
    customers: Path
    customers_mapping: Path
    outcomes: Path
    outcomes_mapping: Path
    contact_policy: Path
    campaign: Path


Looking = Callable[[Deployment, str], Mapping[str, Any]]
"""Called between two steps with the deployment and the campaign's key; returns what it saw, by name."""


def nothing(_deployment: Deployment, _key: str) -> Mapping[str, Any]:
    """Look at nothing."""
    return {}


def main_job(
    settings: Settings, case: Case, *, tell: Tell, clock: Clock = system_clock,
    between: Looking = nothing, at_last: Looking = nothing,
) -> dict[str, Any]:  # fmt: skip
    """Walk the main job on a new deployment and return what happened.

    Args:
        settings: where.
        case: the company's files.
        tell: what is told how far it is.
        clock: the time.
        between: looks around before the second run.
        at_last: looks around before the audit.

    Returns:
        `customers, import, dry_run, run, withdrawn, second_run, audit, ledger, effects, seconds, peak_memory_mb`, and
        what was seen on the way.

    Raises:
        ByleaveError: a file is wrong, or there is a deployment in that place already.
    """
    began = time.perf_counter()
    house = found(settings, catalogue=case.catalogue, actor=_ACTOR, clock=clock)
    try:
        told = _walk(house, case, tell, between, at_last)
    finally:
        house.close()
    told["seconds"] = round(time.perf_counter() - began, 3)
    told["peak_memory_mb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
    return told


def _walk(house: House, case: Case, tell: Tell, between: Looking, at_last: Looking) -> dict[str, Any]:
    deployment = house.deployment
    imported = _import(deployment, case, tell)
    key = _publish(deployment, case)
    told: dict[str, Any] = {"customers": imported["customers"], "import": imported}
    told["dry_run"] = _dry_run(deployment, key, tell)
    told["run"] = _run(deployment, key, tell, "run")
    told["effects"] = _outcomes(deployment, key, case, tell)
    told["withdrawn"] = _withdraw(deployment, key, tell)
    told |= between(deployment, key)
    told["second_run"] = _run(deployment, key, tell, "second run")
    told |= at_last(deployment, key)
    tell("audit", 0, len(CHECKS))
    told["audit"] = audits.run(deployment, CHECKS, asked_by=_ACTOR).as_json()
    tell("audit", len(CHECKS), len(CHECKS))
    told["ledger"] = _verify(deployment, tell)
    return told


def _since(began: datetime, clock: Clock) -> float:
    return round((clock() - began).total_seconds(), 3)


def _mapping(deployment: Deployment, path: Path) -> FileMapping:
    with deployment.store.read() as work:
        return read_mapping(path, deployment.desk.catalogues.current(work))


def _import(deployment: Deployment, case: Case, tell: Tell) -> dict[str, Any]:
    """Bring in statements first: a fact is remembered only where that is allowed."""
    said = statement_import.bring_in_statements(
        deployment,
        case.statements,
        _mapping(deployment, case.statements_mapping),
        Options(actor=_ACTOR, progress=lambda done, total: tell("statements", done, total)),
    )
    known = customer_import.bring_in_customers(
        deployment,
        case.customers,
        _mapping(deployment, case.customers_mapping),
        Options(actor=_ACTOR, progress=lambda done, total: tell("customers", done, total)),
    )
    return {
        "customers": known.customers,
        "statements": said.recorded,
        "facts_stored": known.stored,
        "facts_refused": known.refused,
        "seconds": round(said.seconds + known.seconds, 3),
    }


def _publish(deployment: Deployment, case: Case) -> str:
    at = deployment.clock()
    with deployment.store.write() as work:
        catalogue = deployment.desk.catalogues.current(work)
        rules = read_contact_policy(case.contact_policy, catalogue)
        ruling.publish(deployment.desk, work, rules, actor=_ACTOR, at=at)
        campaign = read_campaign(case.campaign, catalogue)
        # One program plays every part here, and the ledger says so: no second person is demanded.
        approving.publish(deployment.desk, work, campaign, actor=_ACTOR, four_eyes=False, at=at)
    return campaign.key


def _dry_run(deployment: Deployment, key: str, tell: Tell) -> dict[str, Any]:
    began = deployment.clock()
    foreseen = dry_run.dry_run(deployment, key, actor=_ACTOR, progress=lambda done, total: tell("dry run", done, total))
    return {**foreseen.totals.as_json(), "seconds": _since(began, deployment.clock)}


def _run(deployment: Deployment, key: str, tell: Tell, name: str) -> dict[str, Any]:
    """Run the campaign, then ask the ledger whether everybody addressed had permitted it."""
    began = deployment.clock()
    started = running.start(deployment, key, actor=_ACTOR, four_eyes=False)
    ended = running.advance(deployment, started, progress=lambda done, total: tell(name, done, total))
    seconds = _since(began, deployment.clock)
    addressed = audit_checks.addressed(deployment, ended)
    return {
        **ended.counts.as_json(),
        "seconds": seconds,
        "addressed": addressed.count,
        "addressed_without_permission": len(addressed.unpermitted),
    }


def _outcomes(deployment: Deployment, key: str, case: Case, tell: Tell) -> dict[str, Any]:
    """Feed outcomes back, measure what the treatments did, and learn from it."""
    outcome_import.bring_in_outcomes(
        deployment,
        case.outcomes,
        _mapping(deployment, case.outcomes_mapping),
        Options(actor=_ACTOR, progress=lambda done, total: tell("outcomes", done, total)),
        stored=note_brought,
    )
    learned = learning.learn(deployment, key, actor=_ACTOR)
    measured = learning.effects(deployment, key, actor=_ACTOR)
    return {
        "outcome": measured.outcome,
        "rates": {
            rate.arm: {"customers": rate.n, "rate": rate.rate, "lower": rate.lower, "upper": rate.upper}
            for rate in measured.rates
        },
        "against_none": {each.arm: _interval(each.effect) for each in measured.effects},
        "model": {"rows": learned.rows, "version": learned.version} if isinstance(learned, Learned) else None,
    }


def _interval(effect: object) -> Mapping[str, float] | str:
    if isinstance(effect, Effect):
        return {"difference": effect.difference, "lower": effect.lower, "upper": effect.upper, "level": effect.level}
    return "too few to judge"


def _withdraw(deployment: Deployment, key: str, tell: Tell) -> int:
    """Withdraw the contact that the campaign needs, for every tenth customer; return for how many."""
    with deployment.store.read() as work:
        total = customers.count(work)
        policy, _ = dry_run.load_policy(deployment, work, key)
    scopes = tuple(dict.fromkeys(Scope(one.contact) for one in policy.candidates))
    after, seen, withdrawn = "", 0, 0
    while True:
        at = deployment.clock()
        with deployment.store.write() as work:
            ids = customers.after(work, after, _CHUNK)
            if not ids:
                return withdrawn
            chosen = [one for spot, one in enumerate(ids, start=seen) if spot % EVERY == EVERY - 1]
            said = [_withdrawal(customer, scopes, at) for customer in chosen]
            withdrawn += len(recording.record(deployment.desk, work, said, actor=_ACTOR, at=at))
        after, seen = ids[-1], seen + len(ids)
        tell("withdrawals", seen, total)


def _withdrawal(customer: CustomerId, scopes: tuple[Scope, ...], at: datetime) -> Statement:
    return Statement(customer=customer, act=Act.WITHDRAW, scopes=scopes, said_at=at, method=Method.SYNTHETIC)


def _verify(deployment: Deployment, tell: Tell) -> dict[str, Any]:
    began = deployment.clock()
    with deployment.store.write() as work:
        proving.sign_checkpoint(deployment.desk, work, at=began)
        vkey = proving.verifier_key(deployment.desk, work)
    found_whole = verify.verify(deployment.store, vkey=vkey)
    tell("ledger", found_whole.checked, found_whole.size)
    return {**found_whole.as_json(), "seconds": _since(began, deployment.clock)}


def demo(folder: Path, *, count: int, seed: int, tell: Tell, clock: Clock = system_clock) -> dict[str, Any]:
    """Walk the main job with a made-up shop of `count` customers, in a deployment made in `folder`."""
    files = generator.FILES
    with tempfile.TemporaryDirectory(prefix="byleave-shop-") as made:
        shop = generator.shop(count, seed=seed, at=clock())
        who, said, outcomes = generator.write(shop, Path(made))
        case = Case(
            catalogue=DEFAULT,
            statements=said,
            statements_mapping=files / "statements_mapping.toml",
            customers=who,
            customers_mapping=files / "mapping.toml",
            outcomes=outcomes,
            outcomes_mapping=files / "outcomes_mapping.toml",
            contact_policy=CONTACT_POLICY,
            campaign=files / "campaign.toml",
        )
        settings = replace(
            Settings(), home=folder, database_url=f"sqlite:///{folder / 'byleave.db'}", keyring=folder / "keyring.json"
        )
        return main_job(settings, case, tell=tell, clock=clock)
