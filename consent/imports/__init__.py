"""USE CASES: bring in files: what customers said, who they are and what they did, what came of it.

`mapping` says which column is what, `rows` reads files as data, `cells` turns cells into values. Each use case reads
its whole file before it stores any of it: a file with a wrong row changes nothing. Statements come first: facts are
remembered only of those who allow it by then.
"""
