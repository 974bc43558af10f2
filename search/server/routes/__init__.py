"""The HTTP API, with a module for each group of addresses."""
