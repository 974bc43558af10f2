"""Which local features of two photos are alike: mutual nearest neighbours on two grids."""
