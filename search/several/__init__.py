"""Searches with several photos: of one place, or of one drive."""
