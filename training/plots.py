"""The picture of an evaluation: shares with their intervals, the reliability of the mood token, the confusion matrix."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.catspeak import MOODS

_FITS, _JARS, _BESIDE = "#2f7d5b", "#c2452d", "#8a8a8a"


def draw_evaluation(record: dict[str, Any], path: Path) -> None:
    """Write the picture of a record of `training.evaluation.report.evaluate` to `path`; its ending says the format."""
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(13, 8), layout="constrained")
        shares, reliability, confusion = figure.subplot_mosaic(
            [["shares", "shares"], ["reliability", "confusion"]], height_ratios=(1, 1.25)
        ).values()
        _draw_shares(shares, record["rows"])
        _draw_reliability(reliability, record.get("calibration"))
        _draw_confusion(confusion, record["confusion"])
        figure.suptitle(f"{record['checkpoint']} ({record['revision']}) on the {record['sets']} sets, temperature 0.7")
        figure.savefig(path, dpi=110)


def _draw_shares(axes: Axes, rows: dict[str, Any]) -> None:
    # Both languages together where there is such a row: the table has the rest.
    names = [name for name in rows if name.partition("/")[0] not in rows or "/" not in name]
    places = range(len(names))
    for shift, key, colour in ((-0.2, "fits", _FITS), (0.2, "jars", _JARS)):
        found = [rows[name][key] for name in names]
        heights = [100 * row["share"] for row in found]
        errors = [[100 * (row["share"] - row["low"]) for row in found], [100 * (row["high"] - row["share"]) for row in found]]
        bars = axes.bar([place + shift for place in places], heights, 0.38, yerr=errors, capsize=2, color=colour, label=key)
        axes.bar_label(bars, fmt="%.0f", padding=2, fontsize=8)
    for key, marker in (("ngram", "D"), ("shuffled", "x"), ("most_frequent", "_")):
        axes.plot(
            [place - 0.2 for place in places],
            [100 * rows[name][key] for name in names],
            marker,
            color=_BESIDE,
            label=f"fits, {key.replace('_', ' ').replace('ngram', 'n-gram regression')}",
        )
    axes.set_xticks(list(places), [f"{name}\n{rows[name]['items']} items" for name in names])
    axes.set(ylabel="% of replies, with 95% intervals", ylim=(0, 108))
    axes.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, 1.16), frameon=False)


def _draw_reliability(axes: Axes, calibration: dict[str, Any] | None) -> None:
    axes.set(xlabel="confidence of the mood token", ylabel="share that fits", xlim=(0, 1), ylim=(0, 1.02))
    axes.plot([0, 1], [0, 1], ":", color=_BESIDE)
    if calibration is None:
        axes.set_title("this checkpoint has no mood token")
        return
    bins = calibration["bins"]
    axes.plot([row["confidence"] for row in bins], [row["fits"] for row in bins], "o-", color=_FITS)
    for row in bins:
        axes.annotate(
            str(row["items"]), (row["confidence"], row["fits"]), xytext=(3, -11), textcoords="offset points", fontsize=7
        )
    axes.set_title(f"reliability (calibration error {calibration['expected_calibration_error']:.3f}; items beside the dots)")


def _draw_confusion(axes: Axes, counts: list[list[int]]) -> None:
    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    axes.imshow(shares, cmap="Greens", vmin=0, vmax=1, aspect="auto")
    for row, (line, share) in enumerate(zip(counts, shares, strict=True)):
        for column, count in enumerate(line):
            if count:
                axes.text(
                    column,
                    row,
                    str(count),
                    ha="center",
                    va="center",
                    fontsize=7,
                    color="white" if share[column] > 0.6 else "black",
                )
    axes.set_xticks(range(len(MOODS)), MOODS, rotation=40, ha="right")
    axes.set_yticks(range(len(MOODS)), MOODS)
    axes.set(xlabel="mood that a reader finds in the reply", ylabel="main mood of the message")
    axes.spines[:].set_visible(False)
