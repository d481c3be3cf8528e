"""The catalogue: every purpose, category, channel and scope; what isn't in it is denied."""
