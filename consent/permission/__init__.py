"""PURE: what customers said, what stands because of it, and what that permits."""
