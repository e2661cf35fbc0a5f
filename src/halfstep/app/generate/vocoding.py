"""The command `vocode`: a recording regenerated from its log-mel. It imports late what it needs."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from halfstep.app.options import AsJson, model_ids
from halfstep.app.progress import Report, progress
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread
from halfstep.arrays import Float32, Float64
from halfstep.errors import InputError

if TYPE_CHECKING:
    import numpy as np

    from halfstep.generation.model import Model
    from halfstep.vocoders.base import MakeVocoder

BEFORE, AFTER = ".before.png", ".after.png"
EXAMPLES = """Example: halfstep vocode take.mp3 again.wav --plot

halfstep vocode take.flac griffin.flac --vocoder griffin-lim --json"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=EXAMPLES)(vocode)


def vocode(
    recording: Annotated[Path, typer.Argument(metavar="IN", help="A recording of any readable format and length.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .wav .flac .ogg .mp3")],
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR",
            autocompletion=model_ids,
            help="Whose mel and vocoder, if not the model's that comes along.",
        ),
    ] = None,
    vocoder: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|DIR",
            help="griffin-lim, or the folder of a BigVGAN (config.json and .safetensors; needs the extra train), "
            "instead of the model's own.",
        ),
    ] = None,
    plot: Annotated[
        bool, typer.Option("--plot", help="Write both spectrograms, OUT.before.png and OUT.after.png.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Regenerate a recording from its log-mel, to hear what the vocoder does to it.

    OUT is as long as IN, has its channels and level, and the model's sample rate.
    """
    keep_to_one_thread()
    done = vocode_file(VocodeRequest(recording=recording, out=out, model=model, vocoder=vocoder, plot=plot))
    if as_json:
        print(json.dumps(done, indent=1))
        return
    note(
        f"{out}: {done['seconds']:.1f} s, {done['channels']} channel(s), vocoder {done['vocoder']} of model "
        f"{done['model']}, made in {done['took_seconds']:.1f} s (real-time factor {done['real_time_factor']:.3f})"
    )


@dataclass(frozen=True, kw_only=True)
class VocodeRequest:
    """What was asked for; see `halfstep vocode --help`."""

    recording: Path
    out: Path
    model: str | None
    vocoder: str | None
    plot: bool


def vocode_file(order: VocodeRequest) -> dict[str, object]:
    """Write OUT, and say how it went. InputError for what the user can mend, OSError for a full disk."""
    import halfstep
    from halfstep.app.outputs import check_room, checked_outputs, make_folders
    from halfstep.app.stopping import stoppable
    from halfstep.audio.files.io import read_blocks, read_info
    from halfstep.vocoders.revoicing import offset_of

    checked_outputs(order.out, 1, [order.recording], [BEFORE, AFTER] if order.plot else [])
    info = read_info(order.recording)
    _check(order, info.channels, info.frames_declared)
    model = halfstep.load(order.model)
    chosen, name = _chosen(order.vocoder, model)
    expected = max(1, round(info.frames_declared * model.sample_rate / info.sample_rate))
    check_room(order.out, expected * info.channels, 1)
    make_folders([order.out])
    began = time.perf_counter()
    offset = offset_of(read_blocks(order.recording, mono=False))
    with progress(order.out.name) as report:
        blocks = read_blocks(order.recording, model.sample_rate, mono=False)
        counted = _Counted(blocks, expected, report)
        with stoppable(iter(counted)) as watched:
            _write(order, model, chosen, watched, expected, offset)
    took = time.perf_counter() - began
    seconds = counted.samples / model.sample_rate
    return {
        "in": str(order.recording),
        "out": str(order.out),
        "model": model.manifest.id,
        "vocoder": name,
        "sample_rate": model.sample_rate,
        "channels": info.channels,
        "samples": counted.samples,
        "seconds": seconds,
        "took_seconds": took,
        "real_time_factor": took / seconds,
    }


def _check(order: VocodeRequest, channels: int, frames: int) -> None:
    from halfstep.app.generate.storing import check_channels

    if frames == 0:
        raise InputError(f"{order.recording}: holds no samples; give a file with sound in it")
    check_channels(order.out, channels, str(order.recording))


def _chosen(wanted: str | None, model: "Model") -> "tuple[str | MakeVocoder | None, str]":
    """What the model is given, and what the user reads. InputError for what is neither a name nor a folder."""
    from halfstep.vocoders.base import GRIFFIN_LIM

    if wanted is None:
        return None, GRIFFIN_LIM if model.manifest.vocoder is None else "its own"
    if wanted == GRIFFIN_LIM:
        return wanted, wanted
    if not Path(wanted).is_dir():
        raise InputError(f"--vocoder {wanted}: neither {GRIFFIN_LIM} nor a folder; name one of them")
    from halfstep.learned_vocoder.bigvgan_folder import load_bigvgan

    return load_bigvgan(Path(wanted), model.manifest.mel.mid), f"BigVGAN in {wanted}"


def _write(
    order: VocodeRequest, model: "Model", chosen: "str | MakeVocoder | None",
    blocks: 'Iterator[Float32[np.ndarray, "channels samples"]]', expected: int,
    offset: 'Float64[np.ndarray, "channels"] | None',
) -> None:  # fmt: skip
    import halfstep
    from halfstep.app.thumbnail import Thumbnail
    from halfstep.audio.files.io import write

    before, after = (Thumbnail(model.manifest.mel) for _ in range(2))
    watched = before.watching(blocks) if order.plot else blocks
    made = model.vocoded(watched, chosen, offset)
    shown = after.watching(made) if order.plot else made
    metadata = {"software": f"halfstep {halfstep.__version__}"}
    write(order.out, shown, model.sample_rate, metadata, seconds=expected / model.sample_rate)
    if order.plot:
        before.save(order.out.with_suffix(BEFORE))
        after.save(order.out.with_suffix(AFTER))


class _Counted:
    """The same blocks, counted as they pass."""

    def __init__(
        self, blocks: 'Iterator[Float32[np.ndarray, "channels samples"]]', expected: int, report: Report
    ) -> None:
        self._blocks, self._expected, self._report = blocks, expected, report
        self.samples = 0

    def __iter__(self) -> 'Iterator[Float32[np.ndarray, "channels samples"]]':
        for block in self._blocks:
            yield block
            self.samples += block.shape[1]
            self._report(self.samples, self._expected, "")
