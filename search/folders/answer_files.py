"""The answers to many photos as one file, which is whole or absent."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from place_search.core.files import locked_file
from place_search.core.progress import Progress, silent
from place_search.core.row_files import write_rows
from place_search.indexer import Skipped, Source
from place_search.indexer.pipeline import skipped_name
from place_search.search.engine import Engine
from place_search.search.folders.answer_journal import AnswerJournal
from place_search.search.folders.answers import Question, answer_photos

COLUMNS: Mapping[str, type] = {
    "photo": str,
    "verdict": str,
    "probability": float,
    "place_id": int,
    "place": str,
    "similarity": float,
    "inliers": int,
    "latitude": float,
    "longitude": float,
    "radius_m": float,
    "error": str,
}
"""The columns of a table of answers: the verdict, the best place, and the photo's position.

Only rows with the verdict "found" have a position: the estimate with its radius, else that of the
place. `error` says why a photo cannot be read.
"""
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """The number of photos by verdict, and by each sentence of the notes on their searches.

    `before` of them were answered by an interrupted run.
    """

    photos: int
    found: int
    unsure: int
    not_found: int
    unreadable: tuple[Skipped, ...]
    before: int
    notes: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON has them."""
        return {**asdict(self), "unreadable": [photo._asdict() for photo in self.unreadable]}


def journal_beside(out: Path) -> Path:
    """The file beside a result that keeps the answers of an unfinished run."""
    return out.with_name(f".{out.name}.answers")


def write_answers(
    engine: Engine,
    source: Source,
    question: Question,
    out: Path,
    *,
    progress: Progress = silent,
) -> AnswerCounts:
    """Search for each photo and write all answers to `out`, a row for each photo in their order.

    The file's ending names its format; `.jsonl` has whole replies, the others `COLUMNS`. Another
    call with the same question continues an interrupted run.

    Raises:
        PlaceSearchError: the file cannot be written, or another run writes it.
        ParameterError: a wrong parameter of the question.
        StoreOutageError: the engine that holds the vectors does not answer.
    """
    identity = (
        engine.index.manifest,
        engine.calibration,
        engine.model.fingerprint,
        engine.model.max_pixels,
        engine.candidates,
        question,
        # The statistics of the photos change with them.
        [photo.name for photo in source.photos] if question.standardize else (),
    )
    journal_path = journal_beside(out)
    with locked_file(journal_path) as file:
        journal = AnswerJournal(file, identity)
        names = [skipped_name(photo.name) for photo in source.photos]
        answered = {
            row
            for row, (name, photo) in enumerate(zip(names, source.photos, strict=True))
            if journal.has(name, photo)
        }
        before = len(answered)
        progress("Searching", before, len(names))
        answers = answer_photos(engine, source.photos, question, skip=answered, progress=progress)
        for count, answer in enumerate(answers, before + 1):
            reply = {"error": answer.error} if answer.result is None else answer.result.to_dict()
            journal.add(skipped_name(answer.photo.name), answer.photo, reply)
            progress("Searching", count, len(names))
        whole = out.suffix.lower() == ".jsonl"
        write_rows(out, COLUMNS, _rows(journal, names, whole=whole))
        counts = _counts(journal, names, before)
        with suppress(OSError):  # a drive may keep a file that is open
            journal_path.unlink()
    return counts


def _rows(journal: AnswerJournal, names: list[str], *, whole: bool) -> Iterator[dict[str, Any]]:
    for name in names:
        answer = journal.read(name)
        yield {"photo": name, **(answer if whole else _columns_of(answer))}


def _columns_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `COLUMNS` for an answer, but for the photo."""
    if "error" in answer:
        return {"verdict": UNREADABLE, "error": answer["error"]}
    best = answer["results"][0] if answer["results"] else {}
    match, verified = answer["match"], best.get("verified")
    is_found = match["verdict"] == "found"
    position = (answer["location"] or best.get("position") or {}) if is_found else {}
    return {
        "verdict": match["verdict"],
        "probability": match["probability"],
        "place_id": best.get("place_id"),
        "place": best.get("name"),
        "similarity": best.get("similarity"),
        "inliers": verified and verified["inliers"],
        "latitude": position.get("latitude"),
        "longitude": position.get("longitude"),
        "radius_m": position.get("radius_m"),
    }


def _counts(journal: AnswerJournal, names: list[str], before: int) -> AnswerCounts:
    verdicts, notes = Counter[str](), Counter[str]()
    unreadable = []
    for name in names:
        answer = journal.read(name)
        if "error" in answer:
            unreadable.append(Skipped(name, answer["error"]))
        else:
            verdicts[answer["match"]["verdict"]] += 1
            notes.update(answer["query"]["notes"])
    return AnswerCounts(
        photos=len(names),
        found=verdicts["found"],
        unsure=verdicts["unsure"],
        not_found=verdicts["not_found"],
        unreadable=tuple(unreadable),
        before=before,
        notes=dict(notes),
    )
