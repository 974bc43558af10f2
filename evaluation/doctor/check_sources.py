"""The doctor's look at what folders and lists leave out, and at positions that photos lost."""

from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.indexer import Source
from place_search.indexer.pipeline import skipped_name
from place_search.photos.decoding import inspect_position

INSPECTED = 4000
"""Photos whose metadata is looked at, at most."""


def check_source(source: Source) -> list[Finding]:
    """What an index would lack: photos that may not be read, and positions that are broken."""
    doubt = source.likely_degrees
    example = source.photos[0].name
    doubts = [Finding("metres-look-like-degrees", len(source.photos), example, doubt)]
    lost: list[str] = []
    if source.kind == "folder":
        for photo in source.photos[:INSPECTED]:
            if photo.position is None and photo.utm is None:
                position, notes = inspect_position(photo.path)
                lost += [f"{photo.name} ({note})" for note in notes[:1] if position is None]
    return [
        *(doubts if doubt else ()),
        *findings_of(
            "unreadable-folder",
            [folder.name for folder in source.unlisted],
            "These folders may not be listed, and their photos are left out; check their "
            "permissions.",
        ),
        *findings_of(
            "unreadable",
            [
                listed
                for photo in source.photos
                if (listed := skipped_name(photo.name)) != photo.name
            ],
            "The names of these files are not UTF-8, and their photos are left out; rename them.",
        ),
        *findings_of(
            "position-lost",
            lost,
            "These photos have a position that cannot be used, and count as photos without one; "
            "mend their metadata, or give a CSV with path,latitude,longitude.",
        ),
    ]


def notes_on(source: Source) -> list[str]:
    """What a source says of its positions, and what is not taken for photos there."""
    return [*source.warnings, *filter(None, (source.no_photos,))]
