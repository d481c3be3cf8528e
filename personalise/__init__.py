"""Interact, invent, personalise: decisions on permitted data only.

Stands on `consent` and never sees what it did not permit: a cell without permission reaches this package as null.
"""
