"""Invent: work out what is not written down (conditions, scores) from what is permitted.

`expressions` reads a marketer's SQL into the values of `terms`, with `lexemes` (its words) and `shape` (their order
and the tree); `columns` evaluates those values over a chunk of customers and needs none of the other three.
"""
