"""Sources of photos; each kind is a small module whose reader gives a `Source`."""
