"""Interact: what happens between the company and a customer."""
