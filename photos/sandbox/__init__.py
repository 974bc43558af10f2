"""Decoding photos of strangers in processes with limits on time and memory."""
