"""The errors of a search and of its server."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class ParameterError(WrongParameterError):
    """A parameter of a search that makes no sense."""


class PhotoGoneError(PlaceSearchError):
    """A place whose photo is no longer where it was indexed."""


class UnknownReportError(PlaceSearchError):
    """There is no such evaluation report."""


class UnknownIndexError(PlaceSearchError):
    """The server has no index of that name."""


class UnknownTrackError(PlaceSearchError):
    """There is no such open track."""


class NotReadyError(PlaceSearchError):
    """The server is still loading its index and model."""


class BusyError(PlaceSearchError):
    """The server has as many requests waiting as it may."""


class TimedOutError(PlaceSearchError):
    """A request that the server works on for too long."""


class CannotChangeError(PlaceSearchError):
    """The index of the server cannot be changed."""


class KeyReusedError(PlaceSearchError):
    """An idempotency key that another request was sent with."""


class ServerError(PlaceSearchError):
    """The server cannot listen where it was told to."""


class CalibrationError(PlaceSearchError):
    """An index on whose photos no calibration can be measured."""
