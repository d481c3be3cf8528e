"""What messages did: rates, effects against a control, and whether they may be shown at all."""
