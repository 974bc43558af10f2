"""Generators of files that repeat declarations in the code; tests check that they are current."""
