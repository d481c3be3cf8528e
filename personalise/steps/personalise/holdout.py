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
    start, sha256 = f"{salt}|{scope}|", hashlib.sha256
    # A loop over customers: there is no hash of columns.
    firsts = b"".join([sha256((start + customer).encode()).digest()[:4] for customer in customers])
    return np.frombuffer(firsts, dtype=">u4").astype(np.int64) % 10_000
