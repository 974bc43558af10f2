"""Kinds of source, one module a kind.

A part defines `ACCEPTS`, its input in words; `reads(data)`, whether a path is of its kind; and
`read(data, root)`, which lists the photos of such a path as a `Source`. A kind whose photos must be
made first defines `extract(data, video)` instead, with `video` a `VideoRequest` or None. A kind
that takes any folder sets `TAKES_ANY_FOLDER`, and is tried last; kinds of other packages are tried
before those of here. A kind that has no use for a `root` sets `HOLDS_ROOT`, so that a given root is
refused.
"""
