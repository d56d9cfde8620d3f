"""Properties have all the time they need: a busy machine is no broken law."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
