"""Policies: which reading of the rules is in force, since when."""
