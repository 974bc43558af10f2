"""The report's tables: Recall@N as Markdown and CSV, and a CSV row for each query."""

from collections.abc import Mapping, Sequence

from place_search.core.tables import table_text
from place_search.core.text import counted
from place_search.evaluation.report.outcomes import QueryOutcome
from place_search.evaluation.report.words import Message, message
from place_search.evaluation.results import EvalReport
from place_search.evaluation.truth.ground_truth import GroundTruth


def recall_rows(report: EvalReport) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of the table of Recall@N, with published figures as columns."""
    head = [
        "N",
        "Recall@N %",
        *(f"{kind} %" for kind in report.other_recalls),
        "chance %",
        *(_title(row.kind, row.note) for row in report.published),
    ]
    return head, [
        [
            str(n),
            f"{recall:.1f}",
            *(f"{recall[n]:.1f}" for recall in report.other_recalls.values()),
            f"{report.chance[n]:.1f}",
            *(_figure(row.at, n) for row in report.published),
        ]
        for n, recall in report.recall.items()
    ]


def right_photos(report: EvalReport) -> Message:
    """Which photos are right, as a sentence."""
    radius = report.settings.get("radius_m")
    return (
        message("right-listed") if radius is None else message("right-within", metres=f"{radius:g}")
    )


def introduction(report: EvalReport) -> list[str]:
    """Two lines: the protocol and what is right, and the numbers of photos."""
    return [
        f"Protocol {report.protocol}: {report.description}. {right_photos(report)}",
        f"Shares are of all {counted(report.queries, 'query')}, "
        f"{report.queries_without_positives} of them without positives, against "
        f"{counted(report.database, 'database photo')}.",
    ]


def facts(truth: GroundTruth, report: EvalReport) -> list[tuple[str, Message | str]]:
    """The settings that a reader needs to repeat the evaluation: names and values."""
    settings = report.settings
    radius = settings.get("radius_m")
    index = settings.get("index")
    sequence, standardized = settings.get("sequence"), settings.get("standardize")
    verified = (
        message("the-first", count=settings["candidates"]) if settings.get("verify") else "no"
    )
    sizes = {"queries": str(report.queries), "database": str(report.database)}
    return [
        ("Program", f"place-search {report.version}"),
        ("Date", report.date),
        ("Model", f"{report.model}, fingerprint {report.fingerprint}"),
        ("Precision", report.precision),
        *((("Index", f"{index['id']}, {index['descriptor_type']}"),) if index else ()),
        ("Dimensions", str(settings.get("dims", ""))),
        ("Photos", message("photos-of", name=truth.name, **sizes)),
        ("Protocol", report.protocol),
        ("Right within", "what the truth lists" if radius is None else f"{radius:g} m"),
        ("Ranked by geometry", verified),
        ("Standardised", "queries and database, each by itself" if standardized else "no"),
        *((("Sequences", sequence_in_words(settings["sequence"])),) if sequence else ()),
    ]


def sequence_in_words(window: Mapping[str, int]) -> Message:
    """The neighbours that a query is ranked with, as a message."""
    before, after = window["before"], window["after"]
    if after:
        return message("with-both", before=before, after=after)
    return message("with-before", before=before)


def _title(kind: str, note: str) -> str:
    return f"{kind} %" + (f" ({note})" if note else "")


def _figure(at: Mapping[str, float], n: int) -> str:
    return f"{at[str(n)]:.1f}" if str(n) in at else ""


def recall_markdown(truth: GroundTruth, report: EvalReport) -> str:
    """The table in Markdown, below the names of model and data."""
    head, rows = recall_rows(report)
    lines = [
        f"# {report.model} on {truth.name}",
        "",
        *introduction(report),
        "",
        f"| {' | '.join(head)} |",
        f"|{'---:|' * len(head)}",
        *(f"| {' | '.join(row)} |" for row in rows),
        *(f"\n{warning}" for warning in report.warnings),
        "",
        *(f"- {name}: {value}" for name, value in facts(truth, report)),
    ]
    return "\n".join(lines) + "\n"


def recall_csv(report: EvalReport) -> str:
    """The table of Recall@N as CSV."""
    head, rows = recall_rows(report)
    return table_text([head, *rows])


def queries_csv(truth: GroundTruth, report: EvalReport, outcomes: Sequence[QueryOutcome]) -> str:
    """A CSV row for each query: its first result, and the rank of its first right result.

    In an open set the row also has the probability of the first result, and the verdict.
    """
    lines = [["query", "first_result", "similarity", "first_right", "error_m", "positives"]]
    open_set = report.open_set
    if open_set is not None:
        lines[0] += ["probability", "verdict"]
    for outcome in outcomes:
        results = report.ranked[outcome.query]
        lines.append(
            [
                outcome.name,
                truth.database[int(results.rows[0])] if outcome.searched else "",
                f"{results.similarities[0]:.4f}" if outcome.searched else "",
                "" if outcome.first_right is None else str(outcome.first_right),
                "" if outcome.error_m is None else f"{outcome.error_m:.1f}",
                str(len(report.positives[outcome.query])),
            ]
        )
        if open_set is not None:
            probability = float(open_set.probabilities[outcome.query])
            lines[-1] += [repr(probability), open_set.verdicts[outcome.query]]
    return table_text(lines)
