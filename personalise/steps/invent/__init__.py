"""Invent: derive what nobody wrote down, here the response to a treatment, from what is permitted."""
