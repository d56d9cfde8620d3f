"""One file per case of the announcement: only GraphQL in and out, read from top to bottom like prose.

The exception, until their verbs are built: what reviewers decide, what is handed in by the Taobao app or with passport and
visa, and consent withdrawn are written by builders of `worlds.py` (`attempt`, `decide`, `anchor_row`).
"""
