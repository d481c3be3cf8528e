"""USE CASES: decide for many, in chunks: dry runs, runs, and the log of what was decided."""
