"""The calibration of an index: measured on its own photos, and renewed when they change."""
