"""What the commands that change an index share: arguments, progress, the report."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from place_search.cli import options
from place_search.cli.console import LISTED, InterruptedRunError, print_json, print_line, say
from place_search.cli.reading import VideoOptions, video_request
from place_search.cli.reports import count_positions, tell_photos, tell_ungrouped
from place_search.cli.terminal import progress
from place_search.core.errors import PlaceSearchError
from place_search.core.text import counted

if TYPE_CHECKING:
    from place_search.core.progress import Progress
    from place_search.indexer import ChangeReport
    from place_search.indexing import TakenIn
    from place_search.models import Model

_Said = TypeVar("_Said")


def index_model(
    index: Path,
    model: str | None,
    threads: int | None,
    verify_with: str | None = None,
    max_megapixels: int = options.DEFAULT_MEGAPIXELS,
) -> "Model":
    """The model that is named, or that an index was made with."""
    from place_search.indexer import open_index_model, read_manifest

    manifest = read_manifest(index)
    if verify_with is not None and not manifest.local_features:
        raise PlaceSearchError(
            f"{index} keeps no local features, so that --verify-with has no part in it; leave it "
            "out, or index the photos again."
        )
    return open_index_model(
        manifest,
        model,
        mode="throughput",
        threads=threads,
        max_pixels=max_megapixels * 10**6,
        verify_with=verify_with,
    )


def by_name(pairs: Iterable[tuple[str, _Said]]) -> dict[str, _Said]:
    """What is said of own fields, by their names. Raises BadParameter where one comes twice."""
    said: dict[str, _Said] = {}
    for name, value in pairs:
        if name in said:
            raise typer.BadParameter(f"The field {name} is given twice; give it once.")
        said[name] = value
    return said


@contextmanager
def running(index: Path) -> "Iterator[Progress]":
    """Show the progress of a change; Ctrl-C says what is kept."""
    try:
        with progress() as advance:
            yield advance
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {index} is whole, and the same command goes on from what was done."
        ) from None


def take_photos(
    change: "Callable[..., ChangeReport]",
    index: Path,
    data: Path,
    models: tuple[str | None, str | None],
    threads: int | None,
    max_megapixels: int,
    as_json: bool,
    video: VideoOptions,
) -> None:
    """Run a change that photos come in by, `add_photos` or `sync_photos`, and print what it did.

    `models` are those that were named to describe and to verify.
    """
    from place_search.indexing import take_input

    with running(index) as advance:
        wanted = video_request(index, *video, advance)
        opened = index_model(index, models[0], threads, models[1], max_megapixels)
        taken = take_input(change, index, data, wanted, opened, advance)
    if taken.measured:
        say(f"How probable the same place is: {taken.measured}")
    tell_fields(taken)
    print_change(taken.report, index, as_json, given=taken.given)
    if not as_json:
        tell_ungrouped(index)


def tell_fields(taken: "TakenIn[Any]") -> None:
    """Say which own fields the places got from their list, and which columns are none."""
    listed = taken.fields
    if listed is None:
        return
    if listed.types:
        fields = ", ".join(f"{name} ({kind})" for name, kind in listed.types.items())
        say(f"Own fields from the list: {fields}; {counted(taken.given, 'place')}.")
    if listed.left_out:
        say(
            f"Left out: the {'column' if len(listed.left_out) == 1 else 'columns'} "
            f"{', '.join(listed.left_out)}; an own field is called by letters, digits, _ and -."
        )


def print_change(
    report: "ChangeReport", index: Path, as_json: bool, *, added: str = "added", given: int = 0
) -> None:
    """Print what a change did, and what was odd about its source if there was one.

    New places were `added`, in a word; `given` ones got own fields from a list.
    """
    tell_photos(report)
    if report.forgotten:
        one = report.forgotten == 1
        whose = "photo whose place was" if one else "photos whose places were"
        say(
            f"Left out: {report.forgotten} {whose} removed by hand; sync with --forget takes "
            f"{'it' if one else 'them'} in again."
        )
    if report.still_there:
        first = report.still_there[0]
        ids = " ".join(str(place.place_id) for place in report.still_there[:LISTED])
        more = " …" if len(report.still_there) > LISTED else ""
        say(
            f"Removed, though the photo is still there, in another folder: "
            f"{counted(len(report.still_there), 'place')}, such as {first.photo}; until the index "
            f"is compacted `place-search restore {index} {ids}{more}` brings back what you want, "
            "and `place-search add` does so of a folder at any time."
        )
    if as_json:
        print_json(report.to_dict())
        return
    counts = {added: report.added, "changed": report.changed, "removed": report.removed}
    said = [f"{count} {what}" for what, count in counts.items() if count]
    said += [f"own fields of {counted(given, 'place')}"] if given else []
    said += ["compacted"] if report.compacted else []
    places = counted(report.places, "place")
    seconds = report.seconds["total"]
    outcome = ", ".join(said) or "nothing to do"
    positions = count_positions(report)
    print_line(f"{outcome}: {places} in {index} ({seconds:.1f} s), {positions}")
