"""What commands say of photos on their way in: left out, without a position, odd."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.cli.console import say, say_list
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.indexer import BuildReport, ChangeReport
    from place_search.indexer.sources.photo_list import Intake


def tell_photos(report: "BuildReport | ChangeReport") -> None:
    """Say which photos were left out, skipped, odd, or are there twice, and why."""
    if report.intake is not None:
        _tell_intake(report.intake)
    skipped = [f"{photo.name}: {photo.reason}" for photo in report.skipped]
    were = "was" if len(skipped) == 1 else "were"
    say_list(
        f"{counted(len(skipped), 'photo')} {were} skipped:",
        skipped,
        "more; the index's manifest.json lists them all.",
    )
    notes = [f"{photo.name}: {photo.note}" for photo in report.notes]
    say_list("Of photos that were indexed:", notes)
    twice = [f"{photo.name} is the same file as {photo.same_as}" for photo in report.duplicates]
    are = "is" if len(twice) == 1 else "are"
    say_list(f"{counted(len(twice), 'photo')} {are} in the index more than once:", twice)


def _tell_intake(intake: "Intake") -> None:
    from place_search.indexer.sources.walk import count_kinds

    if intake.left_out:
        say(f"Left out, as no photos: {count_kinds(Counter(intake.left_out))}.")
    unlisted = [f"{folder.name}: {folder.reason}." for folder in intake.unlisted]
    say_list("Left out, as folders that may not be read:", unlisted)
    if intake.panoramas:
        were = "was" if intake.panoramas == 1 else "were"
        cut = counted(intake.panoramas, "panorama")
        say(f"{cut} {were} cut into views, which are places of their own.")
    for warning in intake.warnings:
        say(f"Warning: {warning}")


def tell_ungrouped(folder: Path) -> None:
    """Say how photos of one spot are put together, where some are in no group yet."""
    import numpy as np

    from place_search.indexer import open_index

    index = open_index(folder)
    alone = len(np.setdiff1d(index.place_ids, index.groups.place_id))
    if alone and index.count > 1 and index.has_local_features:
        what = "1 is" if alone == 1 else f"{alone} are"
        say(f"`place-search group {folder}` puts photos of one spot together; {what} in no group.")


def count_positions(report: "BuildReport | ChangeReport") -> str:
    """How many places have a position, in words."""
    if report.positioned == report.places:
        return "all with a position" if report.places > 1 else "with a position"
    return f"{report.positioned or 'none'} with a position"
