"""Commands that search, compare and serve."""
