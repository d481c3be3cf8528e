"""Reports of an audit, to be handed over: what was checked, what could not be, what was found, and what binds it.

`content` gathers what a report says, `document` is its form without a format, `html`, `pdf` and `table` are
formats of it, `making` the use case.
"""
