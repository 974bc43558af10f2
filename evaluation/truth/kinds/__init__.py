"""Kinds of ground truth, one module a kind.

A part defines `reads(files)`, whether a `TruthFiles` names a truth of its kind, and
`read(files, lenient)`, which gives the `GroundTruth`. The kind `positions` reads any photos with
positions, so it is tried last.
"""
