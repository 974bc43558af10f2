"""What commands say of photos on their way in: left out, without a position, odd."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from place_search.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from place_search.indexer import BuildReport, ChangeReport, Source
    from place_search.indexer.places import PhotoNote

SHOWN = 50


def tell_source(source: "Source") -> None:
    """Say what a source left out, which folders may not be read, and what its positions lack."""
    from place_search.indexer.sources.walk import count_kinds

    if source.left_out:
        say(f"Left out, as no photos: {count_kinds(Counter(source.left_out))}.")
    for folder in source.unlisted[:SHOWN]:
        say(f"Left out: {folder.name}: {folder.reason}.")
    if len(source.unlisted) > SHOWN:
        say(f"… and {len(source.unlisted) - SHOWN} more folders.")
    for warning in source.warnings:
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


def source_json(source: "Source | None") -> dict[str, Any]:
    """What `tell_source` says, for `--json`."""
    if source is None:
        return {}
    return {
        "left_out": dict(source.left_out),
        "unlisted": [folder._asdict() for folder in source.unlisted],
        "warnings": list(source.warnings),
    }
