"""USE CASES: who is enrolled, what customers say, what is published; everything that goes into the ledger.

`customers` enrols and finds, `recording` records statements, `history` reads them back, `publishing` publishes
catalogues and notes what the deployment itself did. Each takes the `Desk`: the keys and the parsed catalogues.
"""
