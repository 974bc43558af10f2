"""Shared by the commands that change an index: arguments, progress, the report."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from place_search.cli import options
from place_search.cli.console import (
    LISTED,
    InterruptedRunError,
    print_json,
    print_line,
    print_message,
)
from place_search.cli.reading import VideoOptions, only_work, video_request
from place_search.cli.reports import count_positions, print_photo_notes, print_ungrouped
from place_search.cli.terminal import progress
from place_search.core.errors import shell_command
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.core.progress import Progress
    from place_search.indexer import ChangeReport
    from place_search.indexing import IndexingResult
    from place_search.models import Model

_Value = TypeVar("_Value")


def index_model(
    index: Path,
    model: str | None,
    threads: int | None,
    verify_with: str | None = None,
    max_megapixels: int = options.DEFAULT_MEGAPIXELS,
    *,
    verify: bool = True,
) -> "Model":
    """The `model` by its id or folder, else the model that the index was made with."""
    from place_search.indexer import open_index_model, read_manifest

    manifest = read_manifest(index)
    if not manifest.local_features:
        verify_with = None  # a variable is meant for other indexes
    return open_index_model(
        manifest,
        model,
        mode="throughput",
        threads=threads,
        max_pixels=max_megapixels * 10**6,
        verify_with=verify_with,
        verify=verify,
    )


def by_name(pairs: Iterable[tuple[str, _Value]]) -> dict[str, _Value]:
    """Values of own fields by their names. Raises BadParameter where a name comes twice."""
    values: dict[str, _Value] = {}
    for name, value in pairs:
        if name in values:
            raise typer.BadParameter(f"The field {name} is given twice; give it once.")
        values[name] = value
    return values


@contextmanager
def running(index: Path) -> "Iterator[Progress]":
    """Show the progress of a change; Ctrl-C raises a sentence on what is kept."""
    try:
        with progress() as advance:
            yield advance
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {index} is whole, and the same command goes on from what was done."
        ) from None


def take_photos(
    context: typer.Context,
    change: "Callable[..., ChangeReport]",
    index: Path,
    data: Path,
    models: tuple[str | None, str | None],
    threads: int | None,
    max_megapixels: int,
    as_json: bool,
    video: VideoOptions,
) -> None:
    """Run a change by photos, `add_photos` or `sync_photos`, and print its report.

    `models` are the names of the models that describe and that verify, if given.
    """
    from place_search.indexer import read_manifest
    from place_search.indexing import take_input

    if not read_manifest(index).local_features:
        only_work(context, "where the index keeps local features", "verify_with")
    with running(index) as advance:
        request = video_request(index, *video, advance)
        opened = index_model(index, models[0], threads, models[1], max_megapixels)
        result = take_input(change, index, data, request, opened, advance)
    if result.calibration_summary:
        print_message(f"How probable the same place is: {result.calibration_summary}")
    print_fields(result)
    print_change(result.report, index, as_json, places_with_fields=result.places_with_fields)
    if not as_json:
        print_ungrouped(index)


def print_fields(result: "IndexingResult[Any]") -> None:
    """Print the own fields that places got from their list, and the columns left out."""
    listed = result.fields
    if listed is None:
        return
    if listed.types:
        fields = ", ".join(f"{name} ({kind})" for name, kind in listed.types.items())
        print_message(
            f"Own fields from the list: {fields}; {counted(result.places_with_fields, 'place')}."
        )
    if listed.left_out:
        print_message(
            f"Left out: the {'column' if len(listed.left_out) == 1 else 'columns'} "
            f"{', '.join(listed.left_out)}; an own field is called by letters, digits, _ and -."
        )


def print_change(
    report: "ChangeReport",
    index: Path,
    as_json: bool,
    *,
    added: str = "added",
    places_with_fields: int = 0,
) -> None:
    """Print the report of a change, and notes on its photos.

    `added` is the word for new places; `places_with_fields` places got own fields from a list.
    """
    print_photo_notes(report)
    if report.forgotten:
        is_one = report.forgotten == 1
        photos = "photo whose place was" if is_one else "photos whose places were"
        print_message(
            f"Left out: {report.forgotten} {photos} removed by hand; sync with --forget takes "
            f"{'it' if is_one else 'them'} in again."
        )
    if report.still_there:
        first = report.still_there[0]
        ids = [place.place_id for place in report.still_there[:LISTED]]
        more = " of the first of them" if len(report.still_there) > LISTED else ""
        print_message(
            f"Removed, though the photo is still there, in another folder: "
            f"{counted(len(report.still_there), 'place')}, such as {first.photo}; until the index "
            f"is compacted {shell_command('restore', index, *ids)} brings back what you want"
            f"{more}, "
            "and `place-search add` does so of a folder at any time."
        )
    if as_json:
        print_json(report.to_dict())
        return
    counts = {added: report.added, "changed": report.changed, "removed": report.removed}
    changes = [f"{count} {change}" for change, count in counts.items() if count]
    if places_with_fields:
        changes.append(f"own fields of {counted(places_with_fields, 'place')}")
    changes += ["compacted"] if report.compacted else []
    places = counted(report.places, "place")
    seconds = report.seconds["total"]
    outcome = ", ".join(changes) or "nothing to do"
    positions = count_positions(report)
    print_line(f"{outcome}: {places} in {index} ({seconds:.1f} s), {positions}")
