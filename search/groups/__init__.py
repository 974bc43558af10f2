"""Places that show one spot, found in an index, and changed by hand."""
