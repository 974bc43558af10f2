"""Files of place splits, one module an ending: `mat.py` reads `.mat`.

A part defines `read(file)`, which gives a `place_search.indexer.sources.split.Split`.
"""
