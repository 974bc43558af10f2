"""The calibration of an index: measured on its own photos, and kept up as it changes."""
