"""PURE: the language of conditions and scores that marketers write, and its meaning over columns.

`expressions` reads a marketer's SQL into the values of `terms`, with `lexemes` (its words), `shape` (their order and
the tree) and `reading` (types); `columns` evaluates those values over a chunk of customers and needs none of these.
"""
