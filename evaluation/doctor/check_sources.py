"""The doctor's checks of folders and lists: photos left out, and unusable positions."""

from place_search.evaluation.doctor.diagnosis import Finding, findings_of
from place_search.indexer import Source
from place_search.indexer.pipeline import skipped_name
from place_search.photos.decoding import inspect_position

INSPECTED = 4000
"""The largest number of photos whose metadata is read."""


def check_source(source: Source) -> list[Finding]:
    """The photos and positions that an index would lack, as they cannot be read."""
    unusable: list[str] = []
    for photo in source.photos[:INSPECTED]:
        if not photo.is_placed:
            position, notes = inspect_position(photo.path)
            unusable += [f"{photo.name} ({note})" for note in notes[:1] if position is None]
    return [
        *(
            Finding(doubt.code, doubt.count, doubt.example, doubt.sentence)
            for doubt in source.doubts
        ),
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
            unusable,
            "These photos have a position that cannot be used, and count as photos without one; "
            "mend their metadata, or give their latitude and longitude in a CSV.",
        ),
    ]


def notes_on(source: Source) -> list[str]:
    """A source's warnings on its positions, and the kinds of files that are no photos."""
    return [*source.warnings, *filter(None, (source.no_photos,))]
