"""Evidence packs: a zip that proves something about the ledger to somebody who trusts nobody here.

`contents` gathers what is in one, `proofs` the way from each entry to a signed checkpoint, `readme` the words for
people, `making` is the use case, `shelf` keeps packs sealed. `verify` goes into each pack as it stands: one file of
plain Python that an expert can read, and that the writer's zip form comes from.
"""
