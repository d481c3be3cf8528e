"""The campaign that benchmarks decide on, and the catalogue that it needs."""

CATALOGUE = """
name = "benchmark"
[[purpose]]
key = "offers"
title = "Offers"
description = "Offers."
marketing = true
[[category]]
key = "purchases"
title = "Purchases"
origin = "observed"
attributes = { recency = "integer", spend = "number", visits = "integer", got = "text" }
[[channel]]
key = "email"
title = "E-mail"
[[notice]]
key = "offers"
version = 1
[notice.wording]
en = "May we?"
[[scope]]
scope = "remember:purchases"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
[[scope]]
scope = "use:purchases:offers"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
[[scope]]
scope = "contact:email:offers"
legal_basis = "consent"
notice = "offers"
benefit = "Better offers."
"""
HEAD = """
[objective]
key = "o"
title = "t"
challenge = "c"
measure = "visits"
target = 1
by = 2026-12-31
owner = "x"
[campaign]
key = "c"
name = "n"
purpose = "offers"
measurement = "offers"
received = "got"
benefit = "b"
audience = "recency <= 12"
person_to_reach = "p"
way_out = "w"
[campaign.holdout]
share = 0.1
salt = "s"
[[cap]]
key = "month"
channels = ["email"]
limit = 2
days = 30
"""


def campaign_text(candidates: int) -> str:
    """Return a campaign of that many candidates, each with its own condition and score."""
    parts = [HEAD]
    for number in range(candidates):
        parts.append(
            f'[[offer]]\nkey = "o{number}"\nfamily = "f"\nterms = {{}}\nvalue = 1.0\ncost = 0.01\n'
            f'eligibility = "spend > {number * 10} AND visits >= {number % 5}"\n'
        )
        parts.append(
            f'[[treatment]]\nkey = "t{number}"\noffer = "o{number}"\nchannel = "email"\ncontent = "c"\n'
            f'score = "0.0{number % 9 + 1} + 0.001 * visits + 0.0001 * spend"\n'
        )
    return "".join(parts)
