"""USE CASES: bring in files: what customers said, who they are and what they did, what came of it.

`mapping` says which column is what and `columns` where a value comes from; `formats` knows what other systems write.
`rows` and `json_records` read files as data, `cells` turns cells into values, `said` and `hearing` (privacy signals)
rows into statements, `weighing` says what they would change. Each use case reads its whole file before it stores any
of it: a file with a wrong row changes nothing, unless the good rows alone are asked for. Statements come first: facts
are remembered only of those who allow it by then.
"""
