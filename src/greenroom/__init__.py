"""Greenroom: may this room go on air, with these people, and if not, what is missing?"""

__version__ = "0.1.0"
