"""Pictures and sound for the page, as data addresses: nothing on it comes from elsewhere."""

import base64
import io
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from halfstep.arrays import Float32
from halfstep.audio.image import mid_of
from halfstep.audio.limiter import limit
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.audio.picture import coloured

REAL_KINDS = {"real": ("real, other half", "#2a7f62"), "ceiling": ("real through mel and vocoder", "#b06a00")}

TICKS_ALONG = 9
"""At most: more would overlap."""


def png_address(picture: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(picture).decode("ascii")


def spectrogram(samples: Float32[np.ndarray, "*channels samples"], mel: MelConfig) -> bytes:
    """A PNG of the log-mel of samples [n], or of the mid of [2, n], two pixels a band: time along, pitch upwards."""
    levels = np.repeat(log_mel(samples if samples.ndim == 1 else mid_of(samples), mel), 2, axis=0)
    file = io.BytesIO()
    Image.fromarray(coloured(levels)[::-1]).save(file, format="PNG", optimize=True)
    return file.getvalue()


def player_address(samples: Float32[np.ndarray, "*channels samples"], sample_rate: int) -> str:
    """An MP3 of samples [n] or [2, n]; peaks bent as in `halfstep generate`."""
    file = io.BytesIO()
    soundfile.write(file, limit(samples).T, sample_rate, format="MP3", subtype="MPEG_LAYER_III", compression_level=0.5)
    return "data:audio/mpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def ladder_plot(rows: list[dict[str, Any]], factors: dict[str, float], measure: str, title: str) -> bytes:
    """A PNG: a measure against sampling steps, and against the real-time factor; real music as lines across."""
    from halfstep.training.drawing import empty_figure

    figure = empty_figure(9.6, 3.8)
    made = sorted((row for row in rows if row["steps"]), key=lambda row: -row["steps"])
    for axis, along in zip(figure.subplots(1, 2, sharey=True), ("steps", "real-time factor, one thread"), strict=True):
        for row in rows:
            if row["kind"] in REAL_KINDS:
                label, colour = REAL_KINDS[row["kind"]]
                axis.axhline(row["figures"][measure]["value"], color=colour, linestyle="--", linewidth=1.2, label=label)
        places = [row["steps"] if along == "steps" else factors[row["name"]] for row in made]
        values = [row["figures"][measure]["value"] for row in made]
        ends = np.array([[row["figures"][measure][end] for row in made] for end in ("low", "high")])
        errors = np.abs(ends - values)
        axis.errorbar(places, values, errors, marker="o", capsize=3, color="#5a2ca0", label="the model, 95 %")
        for place, value, row in zip(places, values, made, strict=True):
            axis.annotate(f" {row['steps']}", (place, value), textcoords="offset points", xytext=(5, 5), fontsize=9)
        axis.set_xscale("log", base=2 if along == "steps" else 10)
        axis.set_xlabel(along)
        axis.minorticks_off()
        if along != "steps":  # at the points themselves, but for those that would stand on each other
            ticks = _apart(places)
            axis.set_xticks(ticks, [f"{tick:.3g}" for tick in ticks])
        axis.grid(alpha=0.25)
    figure.axes[0].set_xticks(
        sorted({row["steps"] for row in made}), sorted({str(row["steps"]) for row in made}, key=int)
    )
    figure.axes[0].set_ylabel(title)
    figure.axes[0].set_ylim(bottom=min(0, *(row["figures"][measure]["low"] for row in rows if row["kind"] != "noise")))
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=8)
    file = io.BytesIO()
    figure.savefig(file, dpi=110, metadata={"Software": ""})
    return file.getvalue()


def _apart(places: list[float]) -> list[float]:
    """The places above 0, less those within a ninth of the axis, in logarithms, of the one before."""
    ordered = sorted(place for place in places if place > 0)
    kept = ordered[:1]
    for place in ordered[1:]:
        if np.log(place / kept[-1]) >= np.log(ordered[-1] / ordered[0]) / TICKS_ALONG:
            kept.append(place)
    return kept
