"""What ears would make of the difference: zimtohrli and ViSQOL, both Google's and under Apache-2.0.

They hear at 48 kHz; other rates are resampled. The extra `quality` brings them, and each is imported only when it is
asked for (ModuleNotFoundError without it).
"""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soxr

from halfstep.arrays import Float, Float64

Samples = Float[np.ndarray, "..."]

if TYPE_CHECKING:
    from visqol.quality_mapper import SimilarityToQualityMapper


HEARD_AT_HZ = 48000
SHORTEST_SECONDS = 0.5
"""zimtohrli 0.2.1 writes beyond its memory below .1 s; of less than this neither has anything to say."""

# ViSQOL v3's settings for music.
BANDS, LOWEST_HZ, OVERLAP, PATCH_FRAMES, SEARCH_PATCHES = 32, 50.0, 0.25, 30, 60


def zimtohrli_distance(estimate: Samples, reference: Samples, sample_rate: int) -> float:
    """0 is the same to the ear, 1 as different as can be; the mean over channels of [n] or [channels, n].

    Alakuijala et al. 2025 (arXiv:2509.26133). It aligns the two in time by itself. ValueError: shapes differ, or
    less than .5 s.
    """
    import zimtohrli

    judge = zimtohrli.Pyohrli()
    pairs = zip(*_audible(estimate, reference, sample_rate), strict=True)
    return float(np.mean([judge.distance(one, other) for one, other in pairs]))


def visqol_mos(estimate: Samples, reference: Samples, sample_rate: int) -> float:
    """The mean opinion listeners would have, from 1 (bad) to 4.73 (the same), of channels mixed down to one.

    ViSQOL v3's mode for music (Chinen et al. 2020, arXiv:2004.09584), meant for codecs at high quality: it falls
    fast. Takes about three times as long as the sound lasts. ValueError as above.
    """
    from visqol.alignment import globally_align
    from visqol.analysis_window import AnalysisWindow
    from visqol.audio_utils import AudioSignal
    from visqol.gammatone import GammatoneSpectrogramBuilder
    from visqol.patch_creator import ImagePatchCreator
    from visqol.visqol_core import VisqolCore

    mixed = (part.mean(axis=0, dtype=np.float64) for part in _audible(estimate, reference, sample_rate))
    degraded, original = (AudioSignal(part, HEARD_AT_HZ) for part in mixed)
    aligned, _ = globally_align(original, degraded)
    result = VisqolCore().calculate_similarity(
        ref_signal=original,
        deg_signal=aligned,
        spect_builder=GammatoneSpectrogramBuilder(BANDS, LOWEST_HZ, speech_mode=False),
        window=AnalysisWindow(HEARD_AT_HZ, OVERLAP),
        patch_creator=ImagePatchCreator(PATCH_FRAMES),
        search_window=SEARCH_PATCHES,
        quality_mapper=_quality_mapper(),
    )
    return float(result.moslqo)


def _audible(estimate: Samples, reference: Samples, sample_rate: int) -> tuple[Samples, Samples]:
    """Both as [channels, n] float32 at 48 kHz."""
    if estimate.shape != reference.shape or estimate.ndim not in (1, 2):
        raise ValueError(f"shapes {estimate.shape} and {reference.shape}: twice [n] or [channels, n] was expected")
    if estimate.shape[-1] < SHORTEST_SECONDS * sample_rate or estimate.size == 0:
        seconds = estimate.shape[-1] / sample_rate
        raise ValueError(f"{seconds:.3f} s of sound: at least {SHORTEST_SECONDS} s was expected")
    long = (np.atleast_2d(part).astype(np.float32).T for part in (estimate, reference))
    first, second = (soxr.resample(part, sample_rate, HEARD_AT_HZ) for part in long)
    return np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)


@lru_cache(maxsize=1)
def _quality_mapper() -> "SimilarityToQualityMapper":
    """From the 32 bands' similarities to an opinion, by the support vectors that visqol-python ships.

    Its own mapper calls libsvm, which pip would have to compile: this is the same sum (to 1e-13), in numpy.
    """
    import visqol
    from visqol.quality_mapper import SimilarityToQualityMapper

    path = Path(visqol.__file__).parent / "model" / "libsvm_nu_svr_model.txt"
    gamma, rho, weights, vectors = _support_vectors(path.read_text(encoding="ascii"))

    class SupportVectors(SimilarityToQualityMapper):
        def init(self) -> None: ...

        def predict_quality(self, fvnsim: Any, *others: Any, **more: Any) -> float:
            kernel = np.exp(-gamma * np.square(vectors - fvnsim).sum(axis=1))
            return float(np.clip(weights @ kernel - rho, 1, 5))

    return SupportVectors()


def _support_vectors(text: str) -> tuple[float, float, Float64[np.ndarray, "..."], Float64[np.ndarray, "..."]]:
    """libsvm's text form of a regression with Gaussian kernels: gamma, rho, weights [n], vectors [n, BANDS]."""
    head, _, body = text.partition("\nSV\n")
    settings = dict(line.split(" ", 1) for line in head.splitlines())
    assert (settings["svm_type"], settings["kernel_type"]) == ("nu_svr", "rbf")
    rows = [line.split() for line in body.splitlines()]
    vectors = np.zeros((len(rows), BANDS))
    for vector, row in zip(vectors, rows, strict=True):
        for entry in row[1:]:
            index, value = entry.split(":")
            vector[int(index) - 1] = float(value)
    return float(settings["gamma"]), float(settings["rho"]), np.array([float(row[0]) for row in rows]), vectors
