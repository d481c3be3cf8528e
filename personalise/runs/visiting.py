"""Who comes to the company himself: what he gets that is chosen and worded without anything of anybody.

Nothing of it is kept. It is for visitors whom nobody knows; and for customers who don't permit to be chosen for, since
else they would get less than if they had said nothing of who they are.
"""

from datetime import datetime
from typing import Any

import pyarrow as pa

from consent import gate
from personalise import goodwill
from personalise.campaigns.messages import OURS
from personalise.decide import decide
from personalise.steps.personalise.policy import UNKNOWN, Candidate, Policy
from personalise.steps.personalise.stages import Stage

_NO_BUCKET = 9_999
"""He is in no holdout: who isn't known can't be measured."""


def unpersonalised(policy: Policy, at: datetime) -> dict[str, Any]:
    """Decide for somebody of whom nothing is known; return the decision's row.

    He came himself, so no permission to contact him is asked for. A condition that reads an attribute doesn't hold of
    him, nor does its negation; a score that reads one is unknown.
    """
    kinds = policy.catalogue.attributes
    columns: dict[str, Any] = {name: pa.nulls(1, gate.ARROW[kinds[name].type]) for name in policy.attributes}
    columns |= {"customer": pa.array([""]), "enrolled": pa.array([True]), "bucket": pa.array([_NO_BUCKET])}
    columns |= {"company_bucket": pa.array([_NO_BUCKET])}
    columns |= {f"permit:{scope}": pa.array([0], type=pa.uint8()) for scope in policy.scopes}
    for window in policy.windows:
        columns |= {f"{what}:{window.key}": pa.array([0]) for what in _COUNTED}
    for family in policy.families:
        columns |= {f"committed:{family}": pa.nulls(1, pa.string())}
        columns |= {f"committed_grade:{family}": pa.nulls(1, pa.int64())}
    if policy.charges:
        columns |= {"goodwill": pa.array([goodwill.opening(policy.contact_policy.goodwill)])}
        columns |= {"pressure": pa.array([0]), "ghost_pressure": pa.array([0])}
    row: dict[str, Any] = decide(pa.table(columns), policy, at).to_pylist()[0]
    return row


def instead(policy: Policy, row: dict[str, Any], at: datetime) -> Candidate | None:
    """Return what a customer is shown who came himself and can't be chosen for, by a row of `decide`.

    None where something was chosen for him, where he has to be left alone for other reasons than what he permits, and
    where what would be chosen comes to him.
    """
    if row["chosen"] >= 0 or any(one.treatment.channel not in OURS for one in policy.candidates):
        return None
    furthest = max((row[f"rule:{one.key}"] for one in policy.candidates), key=lambda rule: int(policy.stage_of[rule]))
    if policy.stage_of[furthest] not in (Stage.HARD_STOPS, Stage.PERMISSION) and policy.rules[furthest] != UNKNOWN:
        return None
    number = unpersonalised(policy, at)["chosen"]
    return policy.candidates[number] if number >= 0 else None


_COUNTED = ("contacts", "contacts_free", "ghosts", "ghosts_free")
