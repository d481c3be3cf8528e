"""A made-up shop: customers, what they said, what they would do. For the demo; nothing in it is anybody's.

The attributes and scopes are those of the shipped catalogue (`consent/catalogue/default.toml`).
"""
