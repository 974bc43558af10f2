"""Which place-search this is."""

from importlib.metadata import PackageNotFoundError, version


def program_version() -> str:
    """The version as installed, "unknown" where it is not."""
    try:
        return version("place-search")
    except PackageNotFoundError:
        return "unknown"
