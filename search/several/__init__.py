"""Searches with several photos: of one spot, or of one drive."""
