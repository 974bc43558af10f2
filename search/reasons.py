"""The sentences of answers with their codes, for pages in other languages.

A sentence is recognised by its template here, wherever it was written: an index may have kept it
with a photo. `web/reasons-hi.js` has words for each code.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

REASONS: Mapping[str, str] = {
    # Notes on a photo.
    "exif-broken": "The photo's Exif data is broken and was left out.",
    "gps-broken": "The photo's GPS data is broken and was left out.",
    "gps-zero": "The photo's GPS position is 0, 0, which is none, and was left out.",
    "gps-not-on-earth": "The photo's GPS position is out of range and was left out.",
    "several-frames": "The photo has several frames; the first one was used.",
    "profile-broken": "The photo's colour profile is broken and was left out.",
    "panorama-broken": "The photo's metadata calls it a 360° panorama but gives no sizes that fit "
    "it, so it was taken as one plain photo.",
    "panorama-partly": "The panorama shows too little of the sphere to be cut into views, so it "
    "was taken whole.",
    "panorama-angle": "The panorama's {angle} is broken and was left out.",
    "panorama-unmarked": "The photo is twice as wide as high, as 360° panoramas are, but its "
    "metadata does not call it one, so it was taken as one plain photo; ask with panorama=true "
    "(--panorama) to have it cut.",
    "panorama-none": "The photo is no 360° panorama that can be cut: it is not equirectangular, "
    "not twice as wide as high, or less than {width} pixels wide, so it was taken as one plain "
    "photo.",
    "nothing-to-match": "The photo looks the same all over, so nothing in it can be matched with "
    "others.",
    "place-kept": "The photo was in the index already, so its place keeps its name and position; "
    "edit the place to change them.",
    # Notes on a search.
    "panorama-whole": "A panorama is cut only where it is the one photo and has no box, so "
    "panorama=true (--panorama) had no effect.",
    "no-features": "The index keeps no local features, so the results are unverified.",
    "other-features": "The index keeps other local features than this model gives, so the results "
    "are unverified.",
    "only-similarity": "The model gives no local features, so only similarity was compared.",
    "time-ran-out": "Time ran out before {late} of {places} places were verified; they come last.",
    "results-apart": "{results} results agree with the photo, and lie up to {kilometres} km apart: "
    "what they share is no place, but a watermark or a part of the car, say.",
    "results-share": "{results} results agree with the photo in a part, and not with each other "
    "beyond it: what they share is no place, but a watermark or a part of the car, say.",
    "none-near": "No place with a position lies within {metres} m of {latitude},{longitude}.",
    "none-fits": "No place fits all filters; leave one of them out.",
    "no-calibration": "The model '{model}' has no calibration, so probabilities are a guess by "
    "that of the included model; `place-search calibrate INDEX` measures one where the index has "
    "photos of several places.",
    "no-model": "The descriptors of the index were made elsewhere and have no calibration, so the "
    "probabilities tell nothing.",
    # Reasons to refuse a photo.
    "no-photo": "{what} is not a photo in a supported format; use JPEG, PNG, WebP, AVIF or HEIF.",
    "no-file": "{what} does not exist; check the path.",
    "is-folder": "{what} is a folder, not a photo; name one photo.",
    "not-allowed": "{what} may not be read; check its permissions.",
    "not-read": "{what} cannot be read: {why}; name a photo.",
    "corrupt": "{what} is truncated or corrupt ({error}); use the original file.",
    "too-many-pixels": "{what} has {width} × {height} pixels, over the limit of {limit}; shrink it "
    "first.",
    "far-too-many-pixels": "{what} announces far more pixels than the limit of {limit}; shrink it "
    "first.",
    "no-memory": "{what} needs more memory to decode than there is for it; shrink it first.",
    "large-file": "{what} is over {megabytes} MB; save it in a smaller format.",
    "slow-photo": "{what} takes more than {seconds} s of computing to decode; send a smaller one.",
    "stopped-decoder": "{what} stopped the decoder; send it in another format.",
    "tells-nothing": "The model can tell nothing of this photo; use one that shows a place.",
    "no-utf-8": "its file name is not UTF-8; rename it",
    "not-listed": "the folder cannot be listed ({why}); check its permissions",
    "not-finite": "the model gives no finite descriptor for it",
    # Values that do not fit a place.
    "not-on-earth": "The position {latitude},{longitude} is not on Earth; latitude goes from -90 "
    "to 90, longitude from -180 to 180.",
    "no-position": "The position 0,0 stands for one that is not known; leave it out, or give the "
    "right one.",
    "too-large": "parameter {name}: must be at most {limit}, not '{value}'.",
    "too-small": "parameter {name}: must be at least {limit}, not '{value}'.",
    "takes-number": "The field {name} takes a number, not {value}.",
    "takes-text": "The field {name} takes a text, not {value}.",
    "takes-boolean": "The field {name} takes a boolean, not {value}.",
    "takes-date": "The field {name} takes a date such as 2024-05-31, not {value}.",
    "no-field": "The index has no own field '{name}' ({known}); `place-search fields INDEX set "
    "NAME:TYPE` declares one.",
    "too-long": "The {name} has {letters} letters; at most {limit} are kept.",
    "not-printable": "The {name} holds letters that cannot be printed; leave them out.",
    "many-tags": "A place has at most {limit} tags, not {tags}.",
    "empty-tag": "A tag is empty; leave it out.",
    # Reasons to refuse a request.
    "place-removed": "Place {place} was removed; it can be restored until the index is compacted.",
    "times-swapped": "The parameter taken_to lies before taken_from; swap them.",
    "index-removed": "The index was removed beside the server; it is searched until the server "
    "stops, no more.",
    "cannot-change": "The index cannot be changed now; the server's log says why.",
    "disk-full": "The server's disk is full; free some space there, then send the request again.",
}
"""The sentences by code; values stand in braces."""

_OF_PHOTO = re.compile(r"Photo ([0-9]+): (.+)")


def reason_of(sentence: str) -> tuple[str, dict[str, str]] | None:
    """The code and the values of a sentence, whether it begins with a capital or not.

    A sentence on one of several photos has the value `photo`, which is its number from 1 on. None
    for a sentence that is not in the table.
    """
    of_photo = _OF_PHOTO.fullmatch(sentence)
    values, text = {}, sentence
    if of_photo:
        values["photo"], text = of_photo.groups()
    for code, parts in _parts().items():
        matched = _values(text, parts)
        if matched is not None:
            return code, {**matched, **values}
    return None


def reason_dict(sentence: str) -> dict[str, Any] | None:
    """The code and the values of a sentence as answers give them; None where it has no code."""
    reason = reason_of(sentence)
    return None if reason is None else {"code": reason[0], "values": reason[1]}


@cache
def _parts() -> Mapping[str, Sequence[str]]:
    """The parts of each sentence by code: plain words and names of values in turn."""
    return {code: re.split(r"\{(\w+)\}", template) for code, template in REASONS.items()}


def _values(sentence: str, parts: Sequence[str]) -> dict[str, str] | None:
    """The values of a sentence that consists of these parts; None for another sentence.

    Each value ends at the first occurrence of the words after it. Without backtracking the time is
    linear in the length of the sentence, most of which a client may have written.
    """
    first, names, words = parts[0], parts[1::2], parts[2::2]
    begins = sentence[:1].lower() == first[:1].lower() and sentence[1 : len(first)] == first[1:]
    if first and not begins:
        return None
    if not names:
        return {} if len(sentence) == len(first) else None
    values, at = {}, len(first)
    for name, literal in zip(names[:-1], words[:-1], strict=True):
        end = sentence.find(literal, at + 1)
        if end < 0:
            return None
        values[name], at = sentence[at:end], end + len(literal)
    end = len(sentence) - len(words[-1])
    if end <= at or not sentence.endswith(words[-1]):
        return None
    return {**values, names[-1]: sentence[at:end]}
