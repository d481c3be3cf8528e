"""The holdout: who is left out on purpose, by a hash of his id, so that nobody draws and nothing is stored."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

COMPANY: Final = "*"
"""The scope of the company's own holdout, from all campaigns; no campaign can be called so."""


def buckets(customers: Sequence[str], *, salt: str, scope: str) -> NDArray[np.int64]:
    """Return each customer's bucket in 0..9999: `int(sha256(salt|scope|customer)[:8], 16) mod 10000`.

    Args:
        customers: ids.
        salt: the campaign's or the company's own, unchanged while anything runs.
        scope: what is held out from: the campaign's key, or `COMPANY`.

    Returns:
        Shape (n_customers,).

    >>> buckets(["cus_1"], salt="s", scope="c").tolist() == buckets(["cus_0", "cus_1"], salt="s", scope="c").tolist()[
    ...     1:
    ... ]
    True
    """
    start = hashlib.sha256(f"{salt}|{scope}|".encode())
    found = np.empty(len(customers), dtype=np.int64)
    for spot, customer in enumerate(customers):  # a loop over customers: there is no hash of columns
        digest = start.copy()
        digest.update(customer.encode())
        found[spot] = int.from_bytes(digest.digest()[:4])
    return found % 10_000
