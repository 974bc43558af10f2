"""The reports of a run: a CSV, its plot, and TensorBoard's events."""

import csv
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from place_search.core.files import replacing, write_whole
from place_search.core.tables import table_text

COLUMNS = ("step", "epoch", "loss", "learning_rate", "recall@1", "recall@5", "recall@10")


class Curve:
    """`curve.csv` in a run's folder: a row for each step, and one for each validation.

    Its content does not depend on the machine or on interruptions.
    """

    def __init__(self, folder: Path, step: int) -> None:
        """Continue after `step`; rows of later steps are dropped, as these steps are repeated."""
        self._path = folder / "curve.csv"
        self._folder = folder
        self._rows: list[list[str]] = []
        if self._path.is_file():
            with self._path.open(encoding="utf-8", newline="") as stream:
                rows = list(csv.reader(stream))[1:]
            self._rows = [row for row in rows if int(row[0]) <= step]

    def add_loss(self, step: int, epoch: int, loss: float, rate: float) -> None:
        """Add the loss of a step."""
        self._rows.append([str(step), str(epoch), f"{loss:.9g}", f"{rate:.6g}", "", "", ""])

    def add_recall(self, step: int, epoch: int, recall: Mapping[int, float]) -> None:
        """Add the recall of a validation, unless the curve has that row already."""
        row = [str(step), str(epoch), "", "", *(f"{share:.2f}" for share in recall.values())]
        if row not in self._rows:
            self._rows.append(row)

    def save(self) -> None:
        """Write the CSV."""
        write_whole(self._path, table_text([COLUMNS, *self._rows]).encode())

    def draw(self) -> None:
        """Write `curve.png`, where matplotlib is installed."""
        try:
            with _fonts_listed_elsewhere():
                from matplotlib.backends.backend_agg import FigureCanvasAgg
                from matplotlib.figure import Figure
        except ImportError:
            return
        figure = Figure(figsize=(8, 4), layout="constrained")
        canvas = FigureCanvasAgg(figure)
        loss_axes = figure.add_subplot()
        losses = [(int(row[0]), float(row[2])) for row in self._rows if row[2]]
        if losses:
            loss_axes.plot(*zip(*losses, strict=True), color="#8899aa", linewidth=0.8)
        loss_axes.set_xlabel("step")
        loss_axes.set_ylabel("loss")
        recall_axes = loss_axes.twinx()
        recall_axes.set_ylabel("recall on held-out photos, %")
        recall_axes.set_ylim(0, 102)
        for column, name in enumerate(COLUMNS[4:], 4):
            points = [(int(row[0]), float(row[column])) for row in self._rows if row[column]]
            if points:
                recall_axes.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        if recall_axes.get_legend_handles_labels()[0]:
            recall_axes.legend(loc="lower right")
        with replacing(self._folder / "curve.png") as part:
            canvas.print_png(str(part))  # type: ignore[no-untyped-call]


@contextmanager
def _fonts_listed_elsewhere() -> Iterator[None]:
    """Keep matplotlib, while it is imported, from writing its font list into the home folder."""
    before = os.environ.get("MPLCONFIGDIR")
    with TemporaryDirectory() as folder:
        os.environ["MPLCONFIGDIR"] = before or folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["MPLCONFIGDIR"]


class Board:
    """TensorBoard's events in a run's folder, where tensorboard is installed."""

    def __init__(self, folder: Path, step: int, *, writes: bool) -> None:
        """Continue after `step`; only the main process `writes`."""
        self._writer: Any = None
        if writes:
            with suppress(ImportError):
                from torch.utils.tensorboard import SummaryWriter

                self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Add numbers of a step, by name."""
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write events that are still in memory."""
        if self._writer is not None:
            self._writer.close()
