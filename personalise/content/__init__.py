"""PURE: what customers get to read: Liquid templates in a closed dialect, judged at publishing, rendered on permits."""
