"""Photo → descriptor and cells: photo decoding, the NetVLAD model, model cards, runtimes."""

from netvlad.card import (
    Calibration,
    ModelCard,
    Preprocessing,
    Recall,
    Source,
    read_card,
    sha256_of,
    write_card,
)
from netvlad.cells import CODE_BITS, CODE_BYTES, decode_codes, encode_cells, project_cells
from netvlad.decoder import DecodeLimits, Decoder, DecoderBusyError, DecoderError
from netvlad.errors import (
    ModelError,
    OversizedPhotoError,
    PhotoError,
    PlaceSearchError,
    UnreadablePhotoError,
    UnsupportedPhotoError,
    VocabularyError,
)
from netvlad.freed_memory import keep_freed_memory
from netvlad.model import DEFAULT_MODEL, Mode, Model, find_model, open_model, weights_folder
from netvlad.photo import (
    EXTENSIONS,
    MAX_PIXELS,
    UPLOADS,
    Photo,
    Position,
    decode_photo,
    encode_jpeg,
    read_position,
)
from netvlad.precision import (
    AskedPrecision,
    Precision,
    PrecisionRecall,
    Quantization,
    choose_precision,
    int8_instructions,
)
from netvlad.runtime import Embedding, Runtime

__all__ = [
    "CODE_BITS",
    "CODE_BYTES",
    "DEFAULT_MODEL",
    "EXTENSIONS",
    "MAX_PIXELS",
    "UPLOADS",
    "AskedPrecision",
    "Calibration",
    "DecodeLimits",
    "Decoder",
    "DecoderBusyError",
    "DecoderError",
    "Embedding",
    "Mode",
    "Model",
    "ModelCard",
    "ModelError",
    "OversizedPhotoError",
    "Photo",
    "PhotoError",
    "PlaceSearchError",
    "Position",
    "Precision",
    "PrecisionRecall",
    "Preprocessing",
    "Quantization",
    "Recall",
    "Runtime",
    "Source",
    "UnreadablePhotoError",
    "UnsupportedPhotoError",
    "VocabularyError",
    "choose_precision",
    "decode_codes",
    "decode_photo",
    "encode_cells",
    "encode_jpeg",
    "find_model",
    "int8_instructions",
    "keep_freed_memory",
    "open_model",
    "project_cells",
    "read_card",
    "read_position",
    "sha256_of",
    "weights_folder",
    "write_card",
]
