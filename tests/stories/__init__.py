"""One file per case of the announcement: only GraphQL and PUT in and out, read from top to bottom like prose.

The exception, until their verbs are built: what reviewers decide, what the Taobao app hands in, and consent withdrawn
are written by builders of `worlds.py` (`decide`, `attempt`, `anchor_row`).
"""
