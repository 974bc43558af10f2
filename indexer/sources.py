"""Sources of photos to index; each kind is one small module whose reader gives a `Source`."""

from pathlib import Path

from indexer.csv_source import read_csv
from indexer.errors import SourceError
from indexer.folder_source import read_folder
from indexer.photo_list import Source


def open_source(data: Path) -> Source:
    """List the photos of a folder, or those that a CSV file names.

    Raises:
        SourceError: there is no photo to index, or the list is wrong.
    """
    data = Path(data)
    if data.is_dir():
        return read_folder(data)
    if data.suffix.lower() == ".csv" and data.is_file():
        return read_csv(data)
    if data.exists():
        raise SourceError(
            f"{data} is a file; give the folder that holds the photos, or a .csv file with the "
            "columns path,latitude,longitude."
        )
    raise SourceError(f"{data} does not exist; give a folder of photos or a .csv file.")
