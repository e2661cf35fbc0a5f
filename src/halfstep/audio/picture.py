"""A spectrogram as a picture: log-mel, seconds along, Hz upwards. numpy and pillow alone."""

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

import halfstep
from halfstep.arrays import Float, Float32, UInt8
from halfstep.atomic import replacing
from halfstep.audio.mel import MelConfig, band_edges_hz

DECIBELS_SHOWN = 80.0
MADE_BY = b"tEXtSoftware\0halfstep "
"""In the first bytes of every picture of ours: the text by which the next one may take its place."""
WIDEST = 1600  # pixels; longer music has several frames in a column
BAND_PIXELS = 3
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 12, 40
TICK_PIXELS = 90
LABELLED_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
LABEL_APART = 16
INK = (40, 40, 40)

# Matplotlib's magma at ninths: evenly lighter to the eye from end to end.
COLOURS = np.array(
    [
        (0, 0, 4), (24, 15, 62), (69, 16, 119), (114, 31, 129), (159, 47, 127),
        (205, 64, 113), (241, 96, 93), (253, 149, 103), (254, 202, 141), (252, 253, 191),
    ]
)  # fmt: skip


def spectrogram_png(
    path: Path, log_mel: Float32[np.ndarray, "bands columns"], config: MelConfig, frames_a_column: int = 1
) -> None:
    """Draw log_mel [n_mels, columns] as a PNG, its loudest 80 dB; a column is one frame or more.

    ValueError if it has none.
    """
    if log_mel.shape[1] == 0:
        raise ValueError("a mel of 0 frames, expected at least 1")
    columns = _columns(log_mel)
    height, width = BAND_PIXELS * config.n_mels, columns.shape[1]
    picture = Image.new("RGB", (LEFT + width + RIGHT, TOP + height + BOTTOM), "white")
    pixels = np.repeat(coloured(columns)[::-1], BAND_PIXELS, axis=0)
    picture.paste(Image.fromarray(pixels), (LEFT, TOP))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((LEFT - 1, TOP - 1, LEFT + width, TOP + height), outline=INK)
    seconds = log_mel.shape[1] * frames_a_column / config.frames_per_second
    _label_time(draw, width, TOP + height, seconds)
    _label_pitch(draw, height, config)
    signed = PngInfo()
    signed.add_text("Software", f"halfstep {halfstep.__version__}")
    with replacing(path) as partial:
        picture.save(partial, format="PNG", pnginfo=signed)


def coloured(values: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape 3"]:
    """Log magnitudes -> colours [..., 3], from 80 dB below the loudest up to it."""
    loudest = float(values.max())
    shown = DECIBELS_SHOWN * math.log(10) / 20
    place = np.clip((values - (loudest - shown)) / shown, 0, 1) * (len(COLOURS) - 1)
    steps = np.arange(len(COLOURS))
    channels = [np.interp(place, steps, COLOURS[:, channel]) for channel in range(3)]
    return np.round(np.stack(channels, axis=-1)).astype(np.uint8)


def _columns(log_mel: Float32[np.ndarray, "bands frames"]) -> Float[np.ndarray, "bands columns"]:
    """[n_mels, columns]: the mean of the frames that share a column; short pieces are widened."""
    frames = log_mel.shape[1]
    if frames <= WIDEST:
        return np.repeat(log_mel, max(1, WIDEST // (2 * frames)), axis=1)
    starts = np.arange(WIDEST) * frames // WIDEST
    counts = np.diff(np.append(starts, frames))
    return np.add.reduceat(log_mel, starts, axis=1) / counts


def _label_time(draw: ImageDraw.ImageDraw, width: int, bottom: int, seconds: float) -> None:
    font = ImageFont.load_default(12)
    step = _round_step(seconds * TICK_PIXELS / width)
    for tick in range(int(seconds / step) + 1):
        x = LEFT + tick * step / seconds * width
        draw.line((x, bottom, x, bottom + 5), fill=INK)
        draw.text((x, bottom + 7), f"{tick * step:g}", fill=INK, font=font, anchor="ma")
    draw.text((LEFT + width / 2, bottom + 22), "seconds", fill=INK, font=font, anchor="ma")


def _round_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)


def _label_pitch(draw: ImageDraw.ImageDraw, height: int, config: MelConfig) -> None:
    font = ImageFont.load_default(12)
    centres = band_edges_hz(config)[1:-1]
    last = math.inf
    for hz in LABELLED_HZ:
        if not centres[0] <= hz <= centres[-1]:
            continue
        y = TOP + height - (np.interp(hz, centres, np.arange(config.n_mels)) + 0.5) * BAND_PIXELS
        if last - y < LABEL_APART:
            continue
        last = y
        draw.line((LEFT - 6, y, LEFT - 1, y), fill=INK)
        draw.text((LEFT - 9, y), f"{hz}", fill=INK, font=font, anchor="rm")
    draw.text((LEFT - 9, TOP + height + 7), "Hz", fill=INK, font=font, anchor="ra")
