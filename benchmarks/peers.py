"""The policy engines that we are measured against, each asked the same questions of the same customers.

Both hold everything in memory: the grants as policies (casbin) or as entities (Cedar). They know no time, no notices
and no ledger, and answer yes or no without a reason. Each is given its best form: casbin its `FastEnforcer` with the
policies indexed by subject and object, Cedar its policies and each customer's entity parsed beforehand.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

import casbin
import cedarpy
from casbin.model import FastModel

Grants = Mapping[str, frozenset[str]]
"""What each customer allows: customer → scopes."""
Ask = Callable[[str, str], bool]
"""Whether a customer allows a scope."""

_MODEL = """
[request_definition]
r = sub, obj
[policy_definition]
p = sub, obj
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.sub == p.sub && r.obj == p.obj
"""
_POLICY = 'permit (principal, action == Action::"use", resource) when { principal.allows.contains(resource) };'


def with_casbin(grants: Grants) -> Ask:
    """Return casbin's answer: one policy a grant."""
    order = [0, 1]
    model = FastModel(order)
    model.load_model_from_text(_MODEL)
    indexed = model.model["p"]["p"].policy  # straight into the index: `add_policies` walks them all for each one
    for customer, scopes in grants.items():
        for scope in scopes:
            indexed.append([customer, scope])
    enforcer = casbin.FastEnforcer(model, enable_log=False, cache_key_order=order)
    return lambda customer, scope: bool(enforcer.enforce(customer, scope))


def with_cedar(grants: Grants) -> Ask:
    """Return Cedar's answer: one policy for all, and an entity a customer with the set of what he allows."""
    policies = cedarpy.PolicySet.from_str(_POLICY)
    entities = {
        customer: cedarpy.Entities.from_json_str(_entity(customer, scopes)) for customer, scopes in grants.items()
    }

    def ask(customer: str, scope: str) -> bool:
        request = {
            "principal": {"type": "Customer", "id": customer},
            "action": {"type": "Action", "id": "use"},
            "resource": {"type": "Scope", "id": scope},
        }
        return bool(cedarpy.is_authorized(request, policies, entities[customer]).allowed)

    return ask


def _entity(customer: str, scopes: Iterable[str]) -> str:
    allows = [{"__entity": {"type": "Scope", "id": scope}} for scope in sorted(scopes)]
    return json.dumps([{"uid": {"type": "Customer", "id": customer}, "attrs": {"allows": allows}, "parents": []}])


def asked_all(ask: Ask, questions: Sequence[tuple[str, str]]) -> list[bool]:
    """Ask one question after the other."""
    return [ask(customer, scope) for customer, scope in questions]
