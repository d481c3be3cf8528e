"""What customers allow, and the proof of it.

The bottom of the house: it stands on nothing but itself. The upper layers reach it through four use cases:
`register` (what customers say), `gate` (the one door to their data), `imports` (what other systems bring)
and `audit` (the proof). `deployment` opens all of them on one database and one keyring.
"""
