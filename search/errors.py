"""The errors of a search and of its server."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class ParameterError(WrongParameterError):
    """A wrong parameter of a search."""


class PhotoGoneError(PlaceSearchError):
    """A place whose photo is no longer where it was indexed."""


class UnknownReportError(PlaceSearchError):
    """The name of an unknown evaluation report."""


class UnknownIndexError(PlaceSearchError):
    """The server has no index of that name."""


class UnknownTrackError(PlaceSearchError):
    """The id of no open track."""


class NotReadyError(PlaceSearchError):
    """The server is still loading its index and model."""


class BusyError(PlaceSearchError):
    """The largest number of requests is waiting already; try again after some `seconds`."""

    def __init__(self, sentence: str, seconds: int = 1) -> None:
        super().__init__(sentence)
        self.seconds = seconds


class TimedOutError(PlaceSearchError):
    """A request that takes too long."""


class CannotChangeError(PlaceSearchError):
    """The index of the server cannot be changed."""


class StorageFullError(PlaceSearchError):
    """The disk of the server's index is full."""


class KeyReusedError(PlaceSearchError):
    """An idempotency key that another request was sent with."""


class ServerError(PlaceSearchError):
    """A server that cannot start with its settings."""


class ServerOptionError(WrongParameterError, ServerError):
    """An option of a server with a value that makes no sense, or without what it needs."""


class CalibrationError(PlaceSearchError):
    """An index whose photos do not suffice to measure a calibration."""
