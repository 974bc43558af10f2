"""Making an index, and changing one in place."""
