"""Searches for all photos of a folder or a list: the question, the answers, and their files."""
