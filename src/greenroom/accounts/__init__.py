"""Accounts: who owns rooms and a roster."""
