"""Objectives, campaigns, offers and treatments: what a marketer writes, read from a file and checked."""
