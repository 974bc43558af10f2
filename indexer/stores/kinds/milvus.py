"""Milvus, an engine of its own process."""

from place_search.indexer.stores.milvus_builder import MilvusBuilder

BUILDER = MilvusBuilder()
