"""The primitives everything stands on: time, ids, errors, canonical bytes, the database."""
