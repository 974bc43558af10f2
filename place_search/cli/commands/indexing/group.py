"""`place-search group`: groups of photos that show one spot."""

from typing import Annotated

import typer

from place_search.cli import options
from place_search.cli.changing import index_model, running
from place_search.cli.console import print_json, print_line, print_message
from place_search.cli.reading import only_work
from place_search.core.settings import THREADS
from place_search.core.text import counted


def command(
    context: typer.Context,
    index: options.IndexFolder,
    spread_m: Annotated[
        float,
        typer.Option(
            "--spread-m",
            metavar="METRES",
            help="Photos with positions farther apart are not put together, but groups that there "
            "are stay: see --anew.",
        ),
    ] = 25.0,
    anew: Annotated[
        bool,
        typer.Option("--anew", help="Part all groups first, but for those named or made by hand."),
    ] = False,
    of: Annotated[
        int | None,
        typer.Option(metavar="ID", help="Change the group of this place by hand, and no other."),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help='With --of: name the group; "" for no name.')
    ] = None,
    add: Annotated[
        list[int] | None,
        typer.Option(metavar="ID", help="With --of: add the group of this place to it."),
    ] = None,
    remove: Annotated[
        list[int] | None,
        typer.Option(metavar="ID", help="With --of: take this place out of it."),
    ] = None,
    model: options.OwnModel = None,
    threads: options.Threads = THREADS.default,
    as_json: options.AsJson = False,
) -> None:
    """Put photos that show one spot together: those that came since the last time.

    Photos are compared by their local features; nothing is described again. Groups named or changed
    by hand stay as they are, but for new photos.
    """
    if of is None:
        only_work(context, "with --of, a place of the group", "name", "add", "remove")
    else:
        only_work(context, "without --of", "spread_m", "anew", "model", "threads")
        if name is None and not add and not remove:
            raise typer.BadParameter("--of needs --name, --add or --remove.")
        _change(index, of, name, add or [], remove or [], as_json)
        return
    from place_search.indexer import read_manifest
    from place_search.search.groups.grouping import group_places

    if not read_manifest(index).local_features:
        print_message(
            f"Note: {index} keeps no local features, so photos are put together by similarity "
            "alone, which finds few of one spot; index them again with local features."
        )
    with running(index) as advance:
        opened = index_model(index, model, threads)
        report = group_places(index, opened, spread_m=spread_m, anew=anew, progress=advance)
    for note in report.notes:
        print_message(f"Note: {note}")
    if as_json:
        print_json(report.to_dict())
        return
    print_line(
        f"{counted(report.groups, 'group')} of {counted(report.grouped, 'photo')}, of "
        f"{report.places} in {index} ({report.new} new)"
    )


def _change(
    index: options.IndexFolder,
    of: int,
    name: str | None,
    add: list[int],
    remove: list[int],
    as_json: bool,
) -> None:
    """Change a group by hand, and print the changed group."""
    from place_search.indexer import change_groups, open_index
    from place_search.search.groups.by_hand import GroupEdit

    edit = GroupEdit(of, name, add, remove)
    edit.check(open_index(index).row_of)
    change_groups(index, edit.changed)
    changed = open_index(index)
    group = changed.groups.of(of)
    assert group is not None  # noqa: S101 - the change has put it there
    places = [changed.place(place) for place in changed.groups.members(group).tolist()]
    if as_json:
        ids = [place.place_id for place in places]
        print_json({"id": group, "name": changed.groups.name(group), "places": ids})
        return
    title = changed.groups.name(group) or "The group"
    print_line(f"{title}: {', '.join(f'{place.name} ({place.place_id})' for place in places)}")
