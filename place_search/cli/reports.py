"""What commands say of photos on their way in: left out, without a position, odd."""

from collections import Counter
from typing import TYPE_CHECKING

from place_search.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from place_search.indexer import BuildReport, ChangeReport
    from place_search.indexer.places import PhotoNote
    from place_search.indexer.sources.photo_list import Intake

SHOWN = 50


def tell_intake(intake: "Intake") -> None:
    """Say what a source left out, which folders may not be read, and what its positions lack."""
    from place_search.indexer.sources.walk import count_kinds

    if intake.left_out:
        say(f"Left out, as no photos: {count_kinds(Counter(intake.left_out))}.")
    for folder in intake.unlisted[:SHOWN]:
        say(f"Left out: {folder.name}: {folder.reason}.")
    if len(intake.unlisted) > SHOWN:
        say(f"… and {len(intake.unlisted) - SHOWN} more folders.")
    for warning in intake.warnings:
        say(f"Warning: {warning}")


def list_notes(notes: "Sequence[PhotoNote]") -> None:
    """List what was odd about photos that were indexed."""
    if not notes:
        return
    say("Of photos that were indexed:")
    for photo in notes[:SHOWN]:
        say(f"  {photo.name}: {photo.note}")
    if len(notes) > SHOWN:
        say(f"  … and {len(notes) - SHOWN} more.")


def count_positions(report: "BuildReport | ChangeReport") -> str:
    """How many places have a position, in words."""
    if report.positioned == report.places:
        return "all with a position" if report.places > 1 else "with a position"
    return f"{report.positioned or 'none'} with a position"
