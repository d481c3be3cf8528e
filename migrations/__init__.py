"""The history of the tables: numbered, linear, and importing nothing from the product."""
