"""A photo → its descriptor and local features: model cards, the registry, runtimes."""

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
    Source,
    read_card,
    write_card,
)
from place_search.models.choose_precision import choose_precision
from place_search.models.errors import ModelError, VocabularyError
from place_search.models.local_features import (
    CODE_BITS,
    CODE_BYTES,
    decode_codes,
    encode_cells,
    encode_grid,
    project_cells,
)
from place_search.models.model import DEFAULT_MODEL, Model, find_model, open_model, weights_folder
from place_search.models.precision import (
    AskedPrecision,
    Precision,
    PrecisionRecall,
    Quantization,
    int8_instructions,
    int8_saturates,
)
from place_search.models.runtimes.base import Embedding, Mode, Runtime

__all__ = [
    "CODE_BITS",
    "CODE_BYTES",
    "DEFAULT_MODEL",
    "Aggregation",
    "AskedPrecision",
    "Calibration",
    "Embedding",
    "LocalFeatures",
    "Mode",
    "Model",
    "ModelCard",
    "ModelError",
    "Precision",
    "PrecisionRecall",
    "Quantization",
    "Recall",
    "Runtime",
    "Source",
    "VocabularyError",
    "choose_precision",
    "decode_codes",
    "encode_cells",
    "encode_grid",
    "find_model",
    "included_calibration",
    "int8_instructions",
    "int8_saturates",
    "open_model",
    "project_cells",
    "read_calibration",
    "read_card",
    "weights_folder",
    "write_card",
]
