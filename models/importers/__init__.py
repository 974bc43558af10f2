"""Importers of other projects' published weights, one module a family.

A module defines `FAMILY`, the name that messages and cards give, `matches(file)` and `read(file)`
of a `weight_files.checkpoint.WeightFile`. Other distributions add theirs as entry points of the
group `place_search.models.importers`. Exactly one family may match a file.
"""
