"""Peers: other servers of the same operation, measured in the same run."""
