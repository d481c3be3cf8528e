"""Rate limits: how much one key, one address, one customer may ask of this service, all its processes together.

`policy` says how much and counts, as a pure function; `shared` is where all processes keep what was asked;
`limiter` is what each of them asks, and `address` says where a request came from. See ADR 57.
"""
