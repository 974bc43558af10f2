"""The page of place-search, as static files in this folder: plain ES modules, no build step."""
