"""Named experiments. `preset` finds one; other installed packages bring theirs as entry points of the group GROUP."""

import dataclasses
from collections.abc import Callable
from importlib.metadata import entry_points

from halfstep.audio.mel import MelConfig
from halfstep.errors import NamedError, unbraced
from halfstep.learned_vocoder.clips import ClipsConfig
from halfstep.learned_vocoder.losses import SpectralLossConfig
from halfstep.learned_vocoder.trunk import VocoderNetConfig
from halfstep.nets.paper_unet1d import PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.nets.unet2d import UNet2dConfig
from halfstep.runs.experiment import Experiment
from halfstep.runs.vocoder import VocoderExperiment
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoderConfig
from halfstep.tasks.music.task import MusicConfig
from halfstep.tasks.plan.task import PlanConfig
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.train_config import TrainConfig

GROUP = "halfstep.presets"


def _tiny() -> Experiment:
    return Experiment(
        name="tiny",
        expects="a minute on a laptop: held-out x error at t = .5 under .5; a check that all works, not music",
        net=UNet1dConfig(widths=(96, 128), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=64),
        task=MusicConfig(),
        train=TrainConfig(steps=300, batch_size=16, learning_rate=2e-3, ema_decay=0.98, measure_every=100,
                          sample_every=300, log_every=25),
        diffusion=DiffusionConfig(weight="x"),
        distill=DistillConfig(start_steps=16, updates=60, batch_size=16),
    )  # fmt: skip


def _base() -> Experiment:
    return Experiment(
        name="base",
        expects="85 processor minutes, teacher and ladder: held-out x error at t = .5 of .11, samples' frame step "
        "near .2; the model in the package (docs/experiments/README.md)",
        net=UNet1dConfig(widths=(256, 320, 320), blocks=(1, 1, 2), attention=(False, False, True), embedding=128),
        task=MusicConfig(context_noise=0.1),
        diffusion=DiffusionConfig(weight="x"),
        train=TrainConfig(steps=2400, batch_size=16, learning_rate=1e-3, ema_decay=0.999, measure_every=1000),
        distill=DistillConfig(updates=120, batch_size=16),
    )


def _long() -> Experiment:
    base = _base()
    return dataclasses.replace(
        base,
        name="long",
        expects="as base, at 22.05 kHz: windows of 8.92 s instead of 4.46 s",
        mel=MelConfig(sample_rate=22050),
    )


PITCH_BANDS = MelConfig(n_fft=8192, window_length=4096, n_mels=192, spacing="log", fmin_hz=30.0)
"""Bands that hold pitch: 21 an octave at 440 Hz, where a mel's are 31 Hz apart."""


def _flagship() -> Experiment:
    return Experiment(
        name="flagship",
        expects="struck notes and chords in tune (docs/experiments/flagship.md) after two million windows of 11.9 s,"
        " ten minutes on a GPU with recipes/models/gpu_trip.py; the model piano in the package",
        net=UNet1dConfig(widths=(320, 384, 448), blocks=(2, 2, 2), attention=(False, True, True), embedding=256,
                         direct=True, preconditioned=True),
        mel=PITCH_BANDS,
        task=MusicConfig(n_mels=192, frames=1024, packing="components", components=256, patch_frames=4,
                         context_noise=0.1, emphasis=0.3),
        diffusion=DiffusionConfig(weight="snr+1"),
        train=TrainConfig(steps=120_000, batch_size=16, learning_rate=1e-3, ema_decay=0.9995, measure_every=2000,
                          sample_every=10_000),
        distill=DistillConfig(start_steps=32, updates=4000, batch_size=16, weight="snr+1", guidance=0.5, jump=0.5,
                              teacher_precision="same"),
    )  # fmt: skip


def _plan() -> Experiment:
    return Experiment(
        name="plan",
        expects="what a model of music follows: chords, melodies and a rhythm like those of its training set, after "
        "half an hour on two cores, and its ladder to 8 steps after five minutes (docs/experiments/plans.md)",
        net=UNet1dConfig(widths=(96, 128, 192), blocks=(1, 1, 1), attention=(False, True, True), attention_heads=4,
                         embedding=96, direct=True, preconditioned=True),
        mel=PITCH_BANDS,
        task=PlanConfig(),
        # A plan is smooth: which notes it has is decided where there is much noise (docs/experiments/plans.md).
        diffusion=DiffusionConfig(weight="snr+1", schedule="shifted", shift=0.2),
        train=TrainConfig(steps=7500, batch_size=16, learning_rate=2e-3, ema_decay=0.998, measure_every=1000,
                          sample_every=7500),
        distill=DistillConfig(start_steps=32, updates=250, batch_size=16, weight="snr+1", jump=0.5, guidance=0.3,
                              pooled_guidance=0.6, teacher_precision="same"),
    )  # fmt: skip


def _vocoder_diffusion() -> Experiment:
    return Experiment(
        name="vocoder-diffusion",
        expects="a waveform from a mel: MR-STFT 1.70 at 64 steps, Griffin-Lim .92 (docs/experiments/README.md)",
        net=UNet1dConfig(widths=(384, 384), blocks=(1, 1), attention=(False, False), embedding=128,
                         direct=True),
        task=DiffusionVocoderConfig(),
        diffusion=DiffusionConfig(parameterization="v", weight="snr+1"),
        train=TrainConfig(steps=1200, batch_size=16, learning_rate=1e-3, ema_decay=0.995, measure_every=400,
                          sample_every=600),
        distill=DistillConfig(updates=60, batch_size=16),
    )  # fmt: skip


def _paper_ddpm() -> Experiment:
    return Experiment(
        name="paper-ddpm-unet2d",
        expects="the paper's baseline: PIS 10.3 / 11.5, IIS 2.6 / 1.9, PKID .013 / .011, IKID .173 / .166, "
        "FAD 4.55 / 4.17 (SoTr / PiTr) after 1M steps on many V100" + ADDED,
        net=UNet2dConfig(),
        task=MusicConfig(packing="snake", context=False),
        diffusion=DiffusionConfig(schedule="ddpm-cosine", parameterization="eps", weight="snr"),
        train=_paper_training(),
    )


def _paper_pdd() -> Experiment:
    return Experiment(
        name="paper-pdd-unet1d",
        expects="the paper's own: PIS 9.5 / 9.3, IIS 2.9 / 3.6, PKID .021 / .016, IKID .101 / .063, "
        "FAD 2.71 / 2.13 (SoTr / PiTr) after 1M steps on many V100" + ADDED,
        net=PaperUNet1dConfig(),
        task=MusicConfig(packing="snake", context=False),
        diffusion=DiffusionConfig(parameterization="v", weight="truncated-snr"),
        train=_paper_training(),
        distill=DistillConfig(start_steps=1024, updates=50_000, batch_size=8, learning_rate=2e-5),
    )


FOLDED_BANDS = MelConfig(n_mels=384, n_fft=8192, window_length=2048)
"""Three times the paper's bands under its window; the longer FFT leaves none of the lowest without a line."""


def _paper_pdd_fold() -> Experiment:
    folded = MusicConfig(n_mels=384, frames=128, packing="fold", context=False)
    return dataclasses.replace(
        _paper_pdd(),
        name="paper-pdd-fold",
        expects="as paper-pdd-unet1d, by the other reading of the paper's packing: 384 bands of 128 frames (1.49 s), "
        "folded by frequency" + ADDED,
        mel=FOLDED_BANDS,
        task=folded,
    )


ADDED = "; added to it, and off by train.ema_decay=0 and train.clip_norm=0: the moving average, clipped gradients"
"""What `_paper_training` has that the paper does not name."""


def _paper_training() -> TrainConfig:
    """The paper's settings. It gives both 1000 epochs and "1M steps": of 60 000 slices in batches of 8 the first are
    7.5 M updates, so that the fewer of the two end a training. What it does not name stands at its usual values, which
    `ADDED` tells how to switch off.
    """
    return TrainConfig(
        steps=1_000_000, epochs=1000, batch_size=8, learning_rate=2e-5, betas=(0.9, 0.999), warmup_steps=0,
        ema_decay=0.999, clip_norm=1.0,
    )  # fmt: skip


PRESETS: dict[str, Callable[[], Experiment]] = {
    "tiny": _tiny,
    "base": _base,
    "long": _long,
    "flagship": _flagship,
    "plan": _plan,
    "vocoder-diffusion": _vocoder_diffusion,
    "paper-ddpm-unet2d": _paper_ddpm,
    "paper-pdd-unet1d": _paper_pdd,
    "paper-pdd-fold": _paper_pdd_fold,
}


BANDS = MelConfig(
    n_fft=8192, window_length=4096, hop_length=512, n_mels=192, fmin_hz=30.0, spacing="log", break_hz=150.0
)  # fmt: skip
"""Bands that hold pitch, analysed under a longer window than that of the spectra that the vocoder makes."""


def _vocoder() -> VocoderExperiment:
    return VocoderExperiment(
        name="vocoder",
        expects="a waveform from a mel, faster than it plays: log-magnitude error of .55 on held-out clips after 6000 "
        "updates, hours on two cores (docs/experiments/vocoder-1-learned.md)",
        train=_vocoder_training(),
    )


def _vocoder_bands() -> VocoderExperiment:
    return VocoderExperiment(
        name="vocoder-bands",
        expects="the same from bands that hold pitch; with judges, and in minutes on a GPU, by "
        "recipes/models/train_bands_vocoder.py",
        # Two frames farther ahead than with a window of 2048: as far as the longer window smears an attack.
        vocoder=VocoderNetConfig(prior_ahead=(1, 1, 1, 1, 0)),
        mel=BANDS,
        clips=ClipsConfig(smoothed=0.25, blur=1.2, noise=0.15),
        # Five times as much as where bands and spectra share a window: the prior has to undo the longer one.
        losses=SpectralLossConfig(prior=0.5),
        train=_vocoder_training(),
    )


def _vocoder_training() -> TrainConfig:
    return TrainConfig(
        steps=6000, batch_size=8, learning_rate=1.5e-3, ema_decay=0.998, measure_every=250, precision="fp32"
    )


VOCODERS: dict[str, Callable[[], VocoderExperiment]] = {"vocoder": _vocoder, "vocoder-bands": _vocoder_bands}


def preset(name: str) -> Experiment | VocoderExperiment:
    """The experiment of that name, own or installed. InputError if there is none."""
    if name in PRESETS:
        return PRESETS[name]()
    if name in VOCODERS:
        return VOCODERS[name]()
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()()
    names = (*PRESETS, *VOCODERS, *sorted({entry.name for entry in entry_points(group=GROUP)}))
    raise NamedError(f"{{preset}} {unbraced(name)}: not known; there are {', '.join(names)}")
