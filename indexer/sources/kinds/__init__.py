"""Kinds of source, one module a kind.

A part defines `ACCEPTS`, what it reads in words; `reads(data)`, whether a path is of its kind; and
`read(data, root)`, which lists the photos of such a path as a `Source`. Where photos must be made
of it first it defines `extract(data, video)` instead, `video` a `VideoRequest` or None. A kind that
would take any folder says so by `TAKES_ANY_FOLDER`, and is asked last; one that has no use for a
`root` says so by `HOLDS_ROOT`, so that none is ignored.
"""
