"""Where photos come from; each kind is one small module whose reader gives a `Source`."""
