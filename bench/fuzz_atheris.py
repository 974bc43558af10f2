"""A target for atheris, which fuzzes the decoder by coverage.

python -m bench.fuzz_atheris [libFuzzer's options] [CORPUS]      needs: pip install atheris

Findings are under bench/out/fuzz/ as crash-…, oom-… or timeout-….
"""

import contextlib
import random
import sys
from pathlib import Path

try:
    import atheris
except ImportError:
    sys.exit("atheris is not installed; run: pip install atheris.")

with atheris.instrument_imports(include=["PIL", "place_search.photos.decoding", "pillow_heif"]):
    from bench.fuzz import AREA, OUT
    from place_search.photos import UPLOADS, PhotoError, decode_photo
    from tests.search.photos import mutated, valid_photos

LIMITS = ("-rss_limit_mb=1024", "-timeout=10", "-max_len=65536")


def decode(photo: bytes) -> None:
    """Decode a photo; any error but a photo error is a finding."""
    with contextlib.suppress(PhotoError):
        decode_photo(photo, target_size=AREA.size, max_pixels=1_000_000, formats=UPLOADS)


def change(photo: bytes, max_size: int, seed: int) -> bytes:
    """Damage a photo as in practice, or let libFuzzer mutate it."""
    chance = random.Random(seed)
    if len(photo) > 80 and chance.random() < 0.5:
        return mutated(photo, chance)[:max_size]
    changed: bytes = atheris.Mutate(photo, max_size)
    return changed


def main() -> None:
    """Fuzz until stopped, from valid photos of every format and the corpus of earlier runs."""
    options = [argument for argument in sys.argv[1:] if argument.startswith("-")]
    folders = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    corpus = Path(folders[0]) if folders else OUT / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, (_, photo) in enumerate(valid_photos()):
        (corpus / f"valid-{number}").write_bytes(photo)
    artifacts = f"-artifact_prefix={corpus.parent}/"
    arguments = [sys.argv[0], *LIMITS, artifacts, *options, str(corpus)]
    atheris.Setup(arguments, decode, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
