"""Measured tables: `make bench`."""
