"""Matching local features of two photos: mutual nearest neighbours on two grids."""
