"""PURE: how often, by what, and at what price in goodwill a company lets its customers be contacted."""
