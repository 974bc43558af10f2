"""Commands that measure how good searches are."""
