"""Signals: what a browser or another system says of permission, read without state."""
