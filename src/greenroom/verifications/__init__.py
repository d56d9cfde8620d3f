"""Verifications: attempts to prove an anchor's real name, and what reviewers decided."""
