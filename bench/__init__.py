"""Bench: what the hot operations cost, as a user's server would pay it."""
