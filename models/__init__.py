"""From a photo to its descriptor and local features: model cards, the registry, runtimes."""

from place_search.models.calibration import (
    Calibration,
    included_calibration,
    read_calibration,
)
from place_search.models.card import (
    Aggregation,
    LocalFeatures,
    ModelCard,
    Recall,
    card_of,
    read_card,
    write_card,
)
from place_search.models.errors import ModelError, VocabularyError
from place_search.models.local_features import (
    BLANK,
    CODE_BITS,
    CODE_BYTES,
    Codes,
    Grid,
    are_empty,
    decode_codes,
    encode_features,
    encode_grid,
    is_blank,
    project_features,
)
from place_search.models.model import (
    DEFAULT_MODEL,
    NO_DESCRIPTOR,
    UNWHITENED_MODEL,
    Model,
    find_card,
    find_model,
    open_model,
    weights_folder,
)
from place_search.models.precision import Precision, PrecisionRecall
from place_search.models.runtimes.base import Embedding

__all__ = [
    "BLANK",
    "CODE_BITS",
    "CODE_BYTES",
    "DEFAULT_MODEL",
    "NO_DESCRIPTOR",
    "UNWHITENED_MODEL",
    "Aggregation",
    "Calibration",
    "Codes",
    "Embedding",
    "Grid",
    "LocalFeatures",
    "Model",
    "ModelCard",
    "ModelError",
    "Precision",
    "PrecisionRecall",
    "Recall",
    "VocabularyError",
    "are_empty",
    "card_of",
    "decode_codes",
    "encode_features",
    "encode_grid",
    "find_card",
    "find_model",
    "included_calibration",
    "is_blank",
    "open_model",
    "project_features",
    "read_calibration",
    "read_card",
    "weights_folder",
    "write_card",
]
