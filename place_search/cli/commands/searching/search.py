"""`place-search search`: the place of a photo, or of each photo of a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from place_search.cli import options
from place_search.cli.console import (
    InterruptedRunError,
    print_json,
    print_line,
    print_list,
    print_message,
)
from place_search.cli.indexes import require_order
from place_search.cli.reading import only_work, point_of
from place_search.cli.reports import print_search_notes
from place_search.cli.terminal import OUT, progress
from place_search.core.errors import shell_command
from place_search.core.settings import CANDIDATES, PRECISION, THREADS
from place_search.core.text import counted
from place_search.settings import K

if TYPE_CHECKING:
    from rich.table import Table

    from place_search.search.engine import Engine
    from place_search.search.folders.answers import Question
    from place_search.search.results import SearchResult, Spot


def command(
    context: typer.Context,
    index: options.IndexFolder,
    photos: Annotated[
        list[Path],
        typer.Argument(
            metavar="PHOTO",
            help="Photo to find the place of; several with --together; with --out a folder, or a "
            "list (.csv, .txt).",
        ),
    ],
    together: Annotated[
        bool, typer.Option("--together", help="Take several photos of one spot as one query.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Write a row for each photo of a folder: .csv, .jsonl, .geojson or .parquet.",
        ),
    ] = None,
    k: options.K = K.default,
    spots: Annotated[
        bool,
        typer.Option("--spots", help="Count photos of one spot, as `group` found them, once."),
    ] = False,
    box: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="Only this part of the photo: pixels of the upright photo, from its top left.",
        ),
    ] = None,
    panorama: Annotated[
        bool | None,
        typer.Option(
            "--panorama/--no-panorama",
            help="Cut a photo of 2:1 into views and search with each (default: where its metadata "
            "says that it is a 360° panorama).",
            show_default=False,
        ),
    ] = None,
    near: options.Near = None,
    radius_m: options.NearRadius = None,
    folder: options.InFolder = None,
    taken_from: options.TakenFrom = None,
    taken_to: options.TakenTo = None,
    tag: options.Tags = None,
    field: options.Fields = None,
    verify: Annotated[
        bool | None,
        typer.Option(
            "--verify/--no-verify",
            help="Rank by geometry too, and estimate the location (default: where the index can).",
            show_default=False,
        ),
    ] = None,
    standardize: Annotated[
        bool,
        typer.Option(
            "--standardize",
            help="With --out: choose places by what tells the photos from one another, for many "
            "photos of one drive or night.",
        ),
    ] = False,
    candidates: options.Candidates = CANDIDATES.default,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    precision: options.Precision = PRECISION.default,
    max_megapixels: options.MaxMegapixels = options.DEFAULT_MEGAPIXELS,
    as_json: options.AsReply = False,
) -> None:
    """Find the place of a photo among those of an index, or say that it is not there.

    With --out, of each photo of a folder. A run that is interrupted goes on when the same command
    is given again.
    """
    point = point_of(near, radius_m)
    photo = photos[0]
    if len(photos) > 1 and (out is not None or not together):
        raise typer.BadParameter(
            "--out takes one folder or list; --together takes several photos of one spot."
        )
    if out is None:
        only_work(context, "with --out", "standardize")
    else:
        only_work(context, "without --out", "together", "panorama", "box")
    if verify is False:
        only_work(context, "with --verify", "candidates")
    from place_search.core.errors import PlaceSearchError
    from place_search.core.row_files import require_row_file
    from place_search.indexer import open_index, open_index_model, parse_filter
    from place_search.indexer.sources.walk import is_list
    from place_search.photos import parse_box
    from place_search.search.engine import Engine
    from place_search.search.folders.answer_files import COLUMNS
    from place_search.search.folders.answers import Question

    require_order(index, photo, "search {index} {other}")
    if out is not None:
        require_row_file(out, COLUMNS, index)
    elif collections := [path for path in photos if path.is_dir() or is_list(path)]:
        photo = collections[0]
        raise PlaceSearchError(
            f"{photo} is no photo but may hold many; to search for each: "
            f"{shell_command('search', index, photo, '--out', 'results.csv')}."
        )
    part = None if box is None else parse_box(box)
    opened = open_index(index)
    if spots and not len(opened.groups.listed_ids):
        print_message(
            f"{index} has no groups yet, so that --spots counts each photo; "
            f"{shell_command('group', index)} makes them."
        )
    place_filter = parse_filter(
        opened.edits,
        folder=folder,
        taken_from=taken_from,
        taken_to=taken_to,
        tag=tag,
        field=field,
    )
    described_by = open_index_model(
        opened.manifest,
        model,
        threads=threads,
        precision=precision,
        max_pixels=max_megapixels * 10**6,
        verify=verify is not False,
    )
    engine = Engine(opened, described_by, candidates=candidates)
    if out is not None:
        question = Question(k, verify, point, radius_m, standardize, place_filter, spots)
        _search_each(engine, photo, question, out, as_json)
        return
    reply = engine.search(
        photos,
        k=k,
        spots=spots,
        verify=verify,
        box=part,
        panorama=panorama,
        near=point,
        radius_m=radius_m,
        place_filter=place_filter,
    )
    if as_json:
        print_json(reply.to_dict())
    else:
        for note in reply.query.notes:
            print_message(f"Note: {note}")
        searched_places = "among these places in the circle"
        if place_filter:
            searched_places = "among these places that fit the filters"
        elif near is None:
            several = f"among these {counted(len(opened), 'place')}"
            searched_places = "at the only place of the index" if len(opened) == 1 else several
        _print_match(reply, searched_places)
        _print_table(reply)


def _search_each(
    engine: "Engine", photos: Path, question: "Question", out: Path, as_json: bool
) -> None:
    from place_search.core.row_files import empty_map_note
    from place_search.search.folders.answer_files import journal_beside, write_answers
    from place_search.search.folders.query_photos import open_queries

    source = open_queries(photos)
    for sentence in source.left_unread:
        print_message(sentence)
    try:
        with progress() as advance:
            counts = write_answers(engine, source, question, out, progress=advance)
    except KeyboardInterrupt:
        raise InterruptedRunError(
            f"Interrupted; {journal_beside(out)} keeps what was answered, and the same command "
            "goes on from there."
        ) from None
    if note := empty_map_note(out, placed=engine.index.has_positions):
        print_message(f"Note: {note}")
    if counts.before:
        print_message(f"{counts.before:,} of the photos were answered before the interruption.")
    print_search_notes(counts.notes)
    unreadable = [f"{photo.name}: {photo.reason}" for photo in counts.unreadable]
    print_list("Photos that cannot be read:", unreadable, f"more; {out} has them all.")
    if as_json:
        print_json({**counts.to_dict(), "out": str(out)})
        return
    print_line(
        f"{counted(counts.photos, 'photo')}: {counts.found:,} found, {counts.unsure:,} unsure, "
        f"{counts.not_found:,} not among these places, {len(unreadable):,} unreadable. Written to "
        f"{out}."
    )


def _print_match(reply: "SearchResult", searched_places: str) -> None:
    match = reply.match
    unverified = reply.results and not reply.results[0].verified
    kind = "unverified, probability" if unverified else "probability"
    probability = f"{kind} {match.probability:.3f}, found from {match.threshold:.3f} on"
    if match.verdict == "found":
        print_line(f"Found: {reply.results[0].name} ({probability}).")
        if view := reply.results[0].query_view:
            north = "" if view.heading is None else f", {view.heading:g}° from north"
            print_message(
                f"The view {view.yaw:g}° to the right of the panorama's middle shows it{north}."
            )
    elif match.verdict == "unsure":
        print_line(f"Perhaps {reply.results[0].name}, but not for sure ({probability}).")
    else:
        print_line(f"Not {searched_places} ({probability}).")
        if reply.results:
            print_message("The most similar ones, probably elsewhere:")


def _print_table(reply: "SearchResult") -> None:
    if reply.location is not None:
        spot = reply.location
        print_message(
            f"Taken near {spot.latitude:.5f},{spot.longitude:.5f}, within {spot.radius_m:.0f} m."
        )
    with_position = any(result.position for result in reply.results)
    table = _table(reply, with_position)
    if (
        with_position
        and OUT.measure(table, options=OUT.options.update(width=1000)).maximum > OUT.width
    ):
        # A name broken into lines is hard to read and to copy.
        table = _table(reply, with_position=False)
        print_message("The table is too narrow for positions; --json has them.")
    OUT.print(table)


def _with_spot(name: str, spot: "Spot") -> str:
    """A place's name, with that of its spot and the number of its other photos."""
    other_photos = spot.photos - 1
    full_name = name if spot.name is None else f"{spot.name}: {name}"
    if not other_photos:
        return full_name
    return f"{full_name} (and {counted(other_photos, 'more photo')} of it)"


def _table(reply: "SearchResult", with_position: bool) -> "Table":
    from rich.table import Table
    from rich.text import Text

    verified = any(result.verified for result in reply.results)
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("similarity", justify="right", no_wrap=True)
    table.add_column("place", overflow="fold")
    if verified:
        table.add_column(Text("matching\npoints"), justify="right", no_wrap=True)
    if with_position:
        table.add_column("latitude", justify="right", no_wrap=True)
        table.add_column("longitude", justify="right", no_wrap=True)
    listed_groups: set[int] = set()
    for result in reply.results:
        spot = result.group
        if spot is not None and spot.id in listed_groups:
            continue
        listed_groups |= set() if spot is None else {spot.id}
        row = [
            str(result.rank),
            f"{result.probability:.3f}",
            f"{result.similarity:.3f}",
            result.name if spot is None else _with_spot(result.name, spot),
        ]
        if verified:
            row.append(str(result.verified.inliers) if result.verified else "")
        if with_position:
            position = result.position
            row += (
                [f"{position.latitude:.6f}", f"{position.longitude:.6f}"] if position else ["", ""]
            )
        table.add_row(*row)
    return table
