"""Networks that give local features, one module a backbone.

A module defines `BACKBONE`, a subclass of `models.layers.Backbone`; cards write its name with
dashes in place of underscores. Other distributions add theirs as entry points of the group
`place_search.models.backbones`.
"""
