"""`place-search migrate`: the small form of an older index."""

from place_search.cli import options
from place_search.cli.changing import print_change, running
from place_search.cli.console import print_message


def command(index: options.IndexFolder, as_json: options.AsJson = False) -> None:
    """Make an older index as small as a new one of the same model, without its photos.

    Descriptors become numbers of 8 bits, and are kept once; ids and places stay. Meanwhile the disk
    holds both versions.
    """
    from place_search.core.text import needed_bytes
    from place_search.indexer import migrate_index, read_manifest

    before = read_manifest(index).bytes
    with running(index) as advance:
        report = migrate_index(index, progress=advance)
    print_message(f"{needed_bytes(before)} before, {needed_bytes(read_manifest(index).bytes)} now.")
    print_change(report, index, as_json)
