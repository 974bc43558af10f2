"""Writes the files that repeat what the code says; tests hold them up to date."""
