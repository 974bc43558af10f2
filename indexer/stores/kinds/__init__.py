"""Kinds of vector store, one module a kind: `ivf_rabitq.py` is the kind `ivf-rabitq`.

A part defines `BUILDER`, a `place_search.indexer.stores.vectors.StoreBuilder`.
"""
