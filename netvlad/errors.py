"""The one error family of place-search: sentences that say what is wrong, where, and the mend."""


class PlaceSearchError(Exception):
    """A problem its reader can mend; `str(error)` is one sentence fit to show as it is."""


class PhotoError(PlaceSearchError):
    """A photo that cannot be used; the subclass says which of the three ways it failed."""


class UnsupportedPhotoError(PhotoError):
    """The bytes are not in a photo format that place-search reads."""


class OversizedPhotoError(PhotoError):
    """The photo's header announces more pixels than the limit."""


class UnreadablePhotoError(PhotoError):
    """The photo is truncated, corrupt or missing."""


class ModelError(PlaceSearchError):
    """A model folder that is missing, incomplete, altered or not usable here."""


class VocabularyError(ModelError):
    """A model without a NetVLAD vocabulary that could be shown."""
