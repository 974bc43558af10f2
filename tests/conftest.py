"""What all tests share."""

from hypothesis import settings

# A shared machine's pauses say nothing about the code.
settings.register_profile("place-search", deadline=None)
settings.load_profile("place-search")
