"""Audits: everything recomputed from the ledger's bytes at one time, believing no projection and repairing nothing.

`findings` says what a check takes and gives, `checks` lists them, `run` is the use case, `reading` shows past audits.
"""
