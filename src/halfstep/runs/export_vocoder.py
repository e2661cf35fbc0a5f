"""A run of the learned vocoder becomes part of a model folder."""

from dataclasses import replace
from pathlib import Path

from halfstep.atomic import replacing_folder
from halfstep.bundle import VocoderFiles, write_vocoder_card
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.export.onnx_writing import STORED
from halfstep.fields import Fields, read_json
from halfstep.learned_vocoder.clips import vocoder_example
from halfstep.learned_vocoder.to_onnx import PRIOR, REFINER, add_vocoder, input_ranges, write_bass, write_vocoder
from halfstep.runs.credits import learned_from, licence_of
from halfstep.runs.run_folder import open_any_run
from halfstep.runs.vocoder import VocoderRun

RANGED = 64
"""Clips of which the ranges of what is multiplied are taken."""


def holds_vocoder(run: Path) -> bool:
    """Whether the run is one of the learned vocoder."""
    try:
        return Fields(str(run), read_json(run / "config.json")).inside("experiment").has("vocoder")
    except (OSError, InputError):
        return False  # what is wrong with it is said by whoever opens it


def export_vocoder(
    run: Path, weights: str, credits: tuple[Path, ...], licence: str | None, into: Path | None, out: Path | None
) -> str:
    """Give the model folder `into` the vocoder of the run, or write it alone into the folder `out`.

    The licence is what the data's credits state, unless another is given. What was written comes back in words.
    """
    if weights not in STORED:
        raise NamedError(f"{{weights}} {unbraced(weights)}: one of {', '.join(STORED)} was expected")
    with open_any_run(run) as opened:
        assert isinstance(opened, VocoderRun), "holds_vocoder has looked"
        net = opened.network()
        drawn, rng = opened.windows("train").batch(0, RANGED)
        bands = vocoder_example(drawn, opened.experiment.mel, opened.experiment.clips, rng).condition.aligned
        assert bands is not None, "a vocoder's clips come with their bands"
        ranges = input_ranges(net, bands)
        known = learned_from(run, opened.library, credits)
        card = VocoderFiles(
            prior=PRIOR, refiner=REFINER, licence=licence or licence_of(known), trained_on=known,
            measured=opened.figures,
        )  # fmt: skip
        if into is not None:
            add_vocoder(net, into, card, weights, ranges)
            return f"{into}: has the vocoder of {run}, {card.licence}"
        assert out is not None, "the command asks for one of the two"
        if out.exists() and any(out.iterdir()):
            raise NamedError(f"{unbraced(out)}: not empty; choose another {{out}}, or remove it")
        out.parent.mkdir(parents=True, exist_ok=True)
        with replacing_folder(out) as folder:
            write_vocoder(net, folder, weights, ranges)
            write_vocoder_card(folder, net.mel, replace(card, bass=write_bass(net, folder)))
        return f"{out}: the vocoder of {run}, {card.licence}; named by HALFSTEP_MODELS, models of its bands get it"
