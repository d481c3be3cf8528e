"""Rights: what a customer can ask for, each a use case with a ledger trail."""
