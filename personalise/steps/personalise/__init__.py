"""PURE: the funnel. A candidate leaves at the first stage that refuses it, with the rule and what was observed."""
