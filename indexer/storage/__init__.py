"""An index on disk: shards, manifest, journal, commit."""
