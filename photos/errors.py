"""Errors of photos."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class PhotoError(PlaceSearchError):
    """A photo that cannot be used; the subclass tells the reason."""


class UnsupportedPhotoError(PhotoError):
    """The bytes are not in a photo format that place-search reads."""


class BoxError(WrongParameterError, PhotoError):
    """A broken box, or a box that does not fit its photo."""

    def __init__(self, sentence: str, parameter: str = "box") -> None:
        """`sentence` says what is wrong with the box; `parameter` lets the error be copied."""
        super().__init__(sentence, parameter)


class OversizedPhotoError(PhotoError):
    """The photo's header announces more pixels than the limit."""


class OutOfMemoryError(OversizedPhotoError):
    """Memory does not suffice to decode the photo."""


class UnreadablePhotoError(PhotoError):
    """The photo is truncated, corrupt or missing."""
