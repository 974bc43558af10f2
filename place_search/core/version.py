"""The version of place-search."""


def program_version() -> str:
    """The installed version; "unknown" if place-search is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # takes 10 ms, rarely needed

    try:
        return version("place-search")
    except PackageNotFoundError:
        return "unknown"
