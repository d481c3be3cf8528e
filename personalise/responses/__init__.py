"""Interact: what comes back from customers: outcomes and when they came, silence, opt-outs, complaints, thanks."""
