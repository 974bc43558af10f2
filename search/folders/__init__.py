"""Searches for all photos of a folder or a list: what is asked, the answers, and their files."""
