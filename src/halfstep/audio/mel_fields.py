"""The settings of log bands, in the JSON of a model, a data set or a run."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from halfstep.audio.mel import MOST_IMAGE_BANDS, MelConfig
from halfstep.audio.scales import SPACINGS
from halfstep.errors import InputError
from halfstep.fields import Fields


def mel_to_json(mel: MelConfig) -> dict[str, Any]:
    """The settings as plain values; of one channel as older versions wrote and read them."""
    plain = asdict(mel)
    if not mel.image_bands:
        del plain["image_bands"]
    return plain


def mel_from(fields: Fields) -> MelConfig:
    """The settings in a JSON object, narrower than MelConfig itself: a filterbank of [n_mels, n_fft / 2 + 1] is built.

    InputError naming a value that is out of range, or not known.
    """
    try:
        mel = MelConfig(
            sample_rate=fields.integer("sample_rate", 4000, 192_000),
            n_fft=fields.integer("n_fft", 64, 16384),
            hop_length=fields.integer("hop_length", 16, 16384),
            n_mels=fields.integer("n_mels", 1, 1024),
            fmin_hz=fields.number("fmin_hz", 0, 96_000),
            fmax_hz=fields.number_or_null("fmax_hz", 1, 96_000),
            floor=fields.number("floor", 1e-12, 0.1),
            **_parse_spacing(fields),
        )
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"{fields.where}: {error}; {fields.remedy}") from error
    fields.done()
    return mel


def _parse_spacing(fields: Fields) -> dict[str, Any]:
    """How the bands lie, and how many the image has; folders made before there was a choice have a mel's, and none."""
    parts: dict[str, Callable[[str], Any]] = {
        "spacing": lambda name: fields.choice(name, SPACINGS),
        "break_hz": lambda name: fields.number(name, 1, 20_000),
        "window_length": lambda name: fields.integer_or_null(name, 16, 16384),
        "image_bands": lambda name: fields.integer(name, 0, MOST_IMAGE_BANDS),
    }
    return {name: parse(name) for name, parse in parts.items() if fields.has(name)}
