"""The ledger: an insert-only Merkle log of what was said and done, and the proofs that leave it.

`merkle`, `note`, `checkpoint` and `proof` are pure: bytes in, bytes or a refusal out.
"""
