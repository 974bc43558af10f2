"""Milvus, a separate engine."""

from place_search.indexer.stores.milvus_builder import MilvusBuilder

BUILDER = MilvusBuilder()
