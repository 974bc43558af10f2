"""What can be wrong with a photo."""

from place_search.core.errors import PlaceSearchError, WrongParameterError


class PhotoError(PlaceSearchError):
    """A photo that cannot be used; the subclass says in which way it failed."""


class UnsupportedPhotoError(PhotoError):
    """The bytes are not in a photo format that place-search reads."""


class BoxError(WrongParameterError, PhotoError):
    """A box that is none, or not one of the photo that it was given with."""

    def __init__(self, sentence: str, parameter: str = "box") -> None:
        """`sentence` says what is wrong with the box; `parameter` is there for copies."""
        super().__init__(sentence, parameter)


class OversizedPhotoError(PhotoError):
    """The photo's header announces more pixels than the limit."""


class OutOfMemoryError(OversizedPhotoError):
    """There is not the memory to decode the photo."""


class UnreadablePhotoError(PhotoError):
    """The photo is truncated, corrupt or missing."""
