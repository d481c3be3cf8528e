"""USE CASES: the life of a campaign's version: draft, checked, approved, scheduled, running or paused, ended."""
