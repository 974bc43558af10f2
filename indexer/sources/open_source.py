"""Sources of photos to index; each kind is one small module whose reader gives a `Source`."""

from pathlib import Path

from place_search.indexer.errors import SourceError
from place_search.indexer.sources.csv_source import read_csv
from place_search.indexer.sources.folder_source import read_folder
from place_search.indexer.sources.photo_list import Source
from place_search.indexer.sources.split import is_split
from place_search.indexer.sources.split_source import read_split_source


def open_source(data: Path, root: Path | None = None) -> Source:
    """List the photos of a folder, those that a CSV file names, or the database of a split.

    The photos of a split (`.mat`, `.npz`) are under `root`: by default the folder of the file.

    Raises:
        SourceError: there is no photo to index, or the list is wrong.
    """
    data = Path(data)
    if data.is_dir():
        return read_folder(data)
    if data.suffix.lower() == ".csv" and data.is_file():
        return read_csv(data)
    if is_split(data) and data.is_file():
        return read_split_source(data, root or data.parent)
    if data.exists():
        raise SourceError(
            f"{data} is a file; give the folder that holds the photos, or a .csv file with the "
            "columns path,latitude,longitude, or a split: a .mat or .npz file."
        )
    raise SourceError(f"{data} does not exist; give a folder of photos or a .csv file.")
