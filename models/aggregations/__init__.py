"""From a grid of local features to one descriptor, one module an aggregation.

A module defines `AGGREGATION`, a subclass of `models.layers.AggregationLayer`. Other distributions
add theirs as entry points of the group `place_search.models.aggregations`.
"""
