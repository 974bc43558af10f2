"""Messages on photos that are indexed: left out, skipped, without a position, repeated."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.cli.console import print_list, print_message
from place_search.core.errors import shell_command
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.indexer import BuildReport, ChangeReport
    from place_search.indexer.sources.photo_list import Intake


def print_photo_notes(report: "BuildReport | ChangeReport") -> None:
    """Print which photos were left out, skipped, noted or repeated, and why."""
    if report.intake is not None:
        _print_intake(report.intake)
    skipped = [f"{photo.name}: {photo.reason}" for photo in report.skipped]
    were = "was" if len(skipped) == 1 else "were"
    print_list(
        f"{counted(len(skipped), 'photo')} {were} skipped:",
        skipped,
        "more; the index's manifest.json lists them all.",
    )
    notes = [f"{photo.name}: {photo.note}" for photo in report.notes]
    print_list("Of photos that were indexed:", notes)
    twice = [f"{photo.name} is the same file as {photo.same_as}" for photo in report.duplicates]
    are = "is" if len(twice) == 1 else "are"
    print_list(f"{counted(len(twice), 'photo')} {are} in the index more than once:", twice)


def _print_intake(intake: "Intake") -> None:
    from place_search.indexer.sources.walk import count_kinds

    if intake.left_out:
        print_message(f"Left out, as no photos: {count_kinds(Counter(intake.left_out))}.")
    unlisted = [f"{folder.name}: {folder.reason}." for folder in intake.unlisted]
    print_list("Left out, as folders that cannot be read:", unlisted)
    if intake.panoramas:
        were = "was" if intake.panoramas == 1 else "were"
        panoramas = counted(intake.panoramas, "panorama")
        print_message(f"{panoramas} {were} cut into views, which are places of their own.")
    for warning in intake.warnings:
        print_message(f"Warning: {warning}")


def print_search_notes(notes: Mapping[str, int]) -> None:
    """Print the notes on the searches for many photos, each with the number of its photos."""
    lines = [f"{sentence} ({counted(photos, 'photo')})" for sentence, photos in notes.items()]
    print_list("Notes on the searches:", lines)


def print_ungrouped(folder: Path) -> None:
    """Print a hint at `place-search group` if some photos are in no group yet."""
    import numpy as np

    from place_search.indexer import open_index

    index = open_index(folder)
    alone = len(np.setdiff1d(index.place_ids, index.groups.place_id))
    if alone and index.count > 1 and index.has_local_features:
        count = "1 is" if alone == 1 else f"{alone} are"
        group = shell_command("group", folder)
        print_message(f"{group} puts photos of one spot together; {count} in no group.")


def count_positions(report: "BuildReport | ChangeReport") -> str:
    """The number of places with a position, in words."""
    if report.positioned == report.places:
        return "all with a position" if report.places > 1 else "with a position"
    return f"{report.positioned or 'none'} with a position"
