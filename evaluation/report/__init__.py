"""A report in files: tables, the curve of Recall@N, and a page with the photos themselves."""

from place_search.evaluation.report.write import write_report

__all__ = ["write_report"]
