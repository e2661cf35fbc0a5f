"""What each figure is called and means, how it is rounded for JSON, and how it stands in a table."""

from typing import Any

import numpy as np

from halfstep.markdown import markdown_table
from halfstep.metrics.judge import Figure

MUSIC_MEASURES = {
    "tuning": ("tuning", "up", "whether all pitches lie on one grid of semitones: 1 if they do, 0 for noise"),
    "held_share": ("held", "up", "share of the energy in partials that keep their pitch for a quarter of a second"),
    "pitch_class_entropy": (
        "pitch classes", "real", "bits of the twelve pitch classes over 10 s: 3.585 uses all alike, as noise does"
    ),
    "pulse": ("pulse", "real", "how well onsets return after the same time of .25 to 2 s, over 10 s; 1 for a clock"),
    "decay_db_per_second": ("decay dB/s", "real", "what becomes of held partials: below 0 if they were struck"),
    "notes_per_second": ("notes/s", "real", "notes that an independent transcriber hears"),
    "polyphony": ("polyphony", "real", "how many of its notes sound at once, where any does"),
    "intervals": ("intervals", "down", "share of its intervals that are others than in real music"),
    "durations": ("durations", "down", "share of its notes that are longer or shorter than in real music"),
}  # fmt: skip
"""Of music by itself, without an embedding: key -> its name, which way is better, what it is."""
MEASURES = MUSIC_MEASURES | {
    "pis": ("PIS", "up", "pitch inception score: sure and varied pitches; real music has the value to aim at"),
    "iis": ("IIS", "up", "instrument inception score: sure and varied instruments"),
    "pkid": ("PKID", "down", "kernel distance of the pitch judge's logits, unbiased"),
    "ikid": ("IKID", "down", "kernel distance of the instrument judge's logits, unbiased"),
    "fad": ("FAD", "down", "Frechet distance of the embedding at this many windows: biased upwards"),
    "fad_infinity": ("FAD-inf", "down", "the same extrapolated to endless windows"),
    "kad": ("KAD", "down", "kernel distance of the embedding, x 100, unbiased"),
    "density": ("density", "1", "how densely real music surrounds it"),
    "coverage": ("coverage", "up", "share of real windows that have one of these near"),
    "spectral": ("spectral", "down", "Frechet distance of 48 features of the full-band log-mel"),
}
"""Key -> its name, which way is better, what it is."""
STEREO_MEASURES = {
    "level_difference_db": (
        "level dB", "real", "how much louder one channel is than the other, on average over bands and time"
    ),
    "coherence": ("coherence", "real", "what left and right have in common: 1 for one sound, 0 for nothing"),
    "level_distance_db": (
        "level moved dB", "down", "how far its level differences must be moved to be spread as those of real music"
    ),
    "coherence_distance": ("coherence moved", "down", "the same of its coherence"),
}  # fmt: skip
"""Of music of two channels besides."""
ALL_MEASURES = MEASURES | STEREO_MEASURES
ROUNDED = 6


def rounded(value: Any) -> Any:
    """Numbers to six significant digits, so that the order of a sum in another library shows in no report."""
    if isinstance(value, dict):
        return {key: rounded(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one) for one in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{ROUNDED}g}") if np.isfinite(value) else None
    return value


def as_json(figures: dict[str, Figure]) -> dict[str, Any]:
    fields = ("value", "low", "high", "windows", "note")
    return {name: rounded({key: getattr(figure, key) for key in fields}) for name, figure in figures.items()}


def cell(figure: dict[str, Any]) -> str:
    """`1.23 (1.20 to 1.26)`, with as many digits as the interval gives meaning to."""
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None:
        return "-"
    if low is None or high is None:
        return _digits(value, abs(value) / 50)
    return f"{_digits(value, high - low)} ({_digits(low, high - low)} to {_digits(high, high - low)})"


def _digits(value: float, width: float) -> str:
    places = max(0, min(4, 1 - int(np.floor(np.log10(max(width, 1e-9))))))
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of a report as a Markdown table, measures along."""
    names = [name for name in ALL_MEASURES if name in rows[0]["figures"]]
    cells = [[row["name"], str(row["windows"]), *(cell(row["figures"][name]) for name in names)] for row in rows]
    return markdown_table(["", "n", *(ALL_MEASURES[name][0] for name in names)], cells)
