"""Descriptors of photos in files, as other programs and `place-search describe` write them."""
