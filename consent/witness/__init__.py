"""The second memory: what somebody else saw of the ledger, and how he is asked.

`book` and `judge` are the witness itself, which runs as a process of its own, with its own file and its own key, and is
never restored together with the ledger's database. `request` is what both sides write and read, and `asking` is the
ledger's side of it.
"""
