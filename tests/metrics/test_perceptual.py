"""Perceptual measures: what is known of them without listeners. They are not ours, so these tests hold the adapters."""

import itertools
import subprocess
import sys

import numpy as np
import pytest

from halfstep.metrics.perceptual import visqol_mos, zimtohrli_distance

RATE = 48000


@pytest.fixture
def zimtohrli() -> None:
    pytest.importorskip("zimtohrli", reason="the extra `quality` is not installed")


@pytest.fixture
def visqol(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scipy: where numba is at hand, compiling would take longer than all of these tests."""
    pytest.importorskip("visqol", reason="the extra `quality` is not installed")
    from visqol import gammatone, nsim, patch_selector

    for module in (gammatone, nsim, patch_selector):
        monkeypatch.setattr(module, "has_numba", lambda: False)


def music(seconds: float) -> np.ndarray:
    """Plucked notes with harmonics, [n] float32."""
    t = np.arange(round(seconds * RATE)) / RATE
    samples = np.zeros(len(t))
    for note, ratio in enumerate(itertools.islice(itertools.cycle((1, 5 / 4, 3 / 2, 2)), round(4 * seconds))):
        since = np.maximum(t - note / 4, 0)
        for harmonic in range(1, 8):
            samples += np.exp(-4 * since) * np.sin(2 * np.pi * 220 * ratio * harmonic * since) / harmonic
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def noisy(samples: np.ndarray, level: float) -> np.ndarray:
    return samples + np.float32(level) * np.random.default_rng(0).standard_normal(samples.shape, np.float32)


@pytest.mark.usefixtures("zimtohrli")
def test_zimtohrli_is_0_for_the_same_and_grows_with_noise():
    sound = music(1)
    assert zimtohrli_distance(sound, sound, RATE) == 0
    distances = [zimtohrli_distance(noisy(sound, level), sound, RATE) for level in (0.001, 0.01, 0.1)]
    assert 0 < distances[0] < distances[1] < distances[2] < 1


@pytest.mark.usefixtures("zimtohrli")
def test_zimtohrli_of_stereo_is_the_mean_of_its_channels():
    sound = np.stack([music(1), music(1)[::-1]])
    result = np.stack([noisy(sound[0], 0.01), sound[1]])
    one = zimtohrli_distance(result[0], sound[0], RATE)
    assert zimtohrli_distance(result, sound, RATE) == pytest.approx(one / 2)


@pytest.mark.slow
@pytest.mark.usefixtures("visqol")
def test_visqol_gives_the_marks_of_its_authors_package():
    """What visqol-python 3.8.0 gives by way of libsvm; 4.7321 is its mark for anything against itself."""
    sound = music(1)
    assert visqol_mos(sound, sound, RATE) == pytest.approx(4.732101, abs=1e-5)
    assert visqol_mos(noisy(sound, 0.0003), sound, RATE) == pytest.approx(2.814020, abs=1e-5)


@pytest.mark.usefixtures("visqol")
def test_the_support_vectors_are_read_as_they_stand():
    """A regression of two vectors, by hand; absent entries are 0, and marks stay between 1 and 5."""
    from halfstep.metrics.perceptual import _quality_mapper, _support_vectors

    text = "svm_type nu_svr\nkernel_type rbf\ngamma 0.5\nnr_class 2\ntotal_sv 2\nrho -3\nSV\n2 1:1 32:1 \n-1 2:0.5 \n"
    gamma, rho, weights, vectors = _support_vectors(text)
    assert (gamma, rho, list(weights)) == (0.5, -3, [2, -1])
    assert [(int(i), int(j), vectors[i, j]) for i, j in np.argwhere(vectors)] == [(0, 0, 1), (0, 31, 1), (1, 1, 0.5)]
    assert _quality_mapper().predict_quality(np.ones(32)) == pytest.approx(4.732101, abs=1e-6)
    assert _quality_mapper().predict_quality(np.full(32, -100.0)) == pytest.approx(3.681621, abs=1e-6)


@pytest.mark.parametrize("measure", [zimtohrli_distance, visqol_mos])
@pytest.mark.parametrize("shapes", [((RATE,), (RATE + 1,)), ((2, RATE), (RATE,)), ((1, 1, RATE),) * 2])
def test_other_shapes_are_refused(measure, shapes, request: pytest.FixtureRequest):
    request.getfixturevalue(measure.__name__.partition("_")[0])
    with pytest.raises(ValueError, match=r"shapes .* was expected"):
        measure(*(np.zeros(shape, np.float32) for shape in shapes), RATE)


@pytest.mark.parametrize("measure", [zimtohrli_distance, visqol_mos])
def test_too_short_is_refused_before_memory_is_spoilt(measure, request: pytest.FixtureRequest):
    request.getfixturevalue(measure.__name__.partition("_")[0])
    with pytest.raises(ValueError, match=r"0\.050 s of sound"):
        measure(music(1)[:2400], music(1)[:2400], RATE)


@pytest.mark.parametrize("package", ["zimtohrli", "visqol"])
def test_without_the_extra_one_line_names_it(package: str):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import numpy as np\n"
        "from halfstep.app.failures import exit_code_and_line\n"
        f"from halfstep.metrics import perceptual as p\n"
        f"measure = p.zimtohrli_distance if {package!r} == 'zimtohrli' else p.visqol_mos\n"
        "try:\n    measure(np.zeros(48000), np.zeros(48000), 48000)\n"
        "except ModuleNotFoundError as error:\n    print(*exit_code_and_line(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == f"2 {package} is not installed; pip install 'halfstep[quality]'\n", done.stderr
