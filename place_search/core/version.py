"""Which place-search this is."""


def program_version() -> str:
    """The version as installed, "unknown" where it is not."""
    from importlib.metadata import PackageNotFoundError, version  # 10 ms, where few commands come

    try:
        return version("place-search")
    except PackageNotFoundError:
        return "unknown"
