"""PURE: signals: what a browser or a consent platform says of somebody's wishes, read without state and without trust.

`gpc` reads the Sec-GPC header, `tcf` the strings of IAB Europe's TCF, `gpp` those of IAB Tech Lab's Global Privacy
Platform with `us` (the sections of the United States) and `usp` (the older US Privacy string) inside; `bits` is what
they stand on. `mapping` says what they mean in the company's own scopes. What a signal can't express, or the mapping
doesn't name, stays unknown.

Whatever is wrong with a string raises `SignalInvalid`, naming the segment and the field, and quotes nothing of it.
"""
