"""The three steps of a decision, by the names the product gives them: interact, invent, personalise."""
