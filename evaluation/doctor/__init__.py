"""Examines data and models for faults before a long job."""
