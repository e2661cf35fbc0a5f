"""What `halfstep.load` gives: exact lengths, the same bytes for the same seed however they are asked for."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import halfstep
from halfstep.audio.files.io import Audio, read, write
from halfstep.errors import InputError
from halfstep.generation.canvas import mel_stream
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return halfstep.load(tiny_model)


@pytest.fixture(scope="module")
def piece(model: Model) -> np.ndarray:
    """Two seconds from seed 5."""
    return model.generate(seconds=2, seed=5).samples


@pytest.mark.parametrize("seconds", [1 / 8000, 0.01, 0.3333, 1.0, 1.00007])
def test_a_piece_has_exactly_the_samples_asked_for(model: Model, seconds: float):
    audio = model.generate(seconds=seconds)
    assert audio.samples.shape == (1, round(seconds * 8000))
    assert audio.sample_rate == 8000
    assert audio.samples.dtype == np.float32


def test_a_piece_is_sound_and_peak_safe(piece: np.ndarray):
    assert np.isfinite(piece).all()
    assert 1e-4 < np.sqrt(np.mean(piece**2)) < 1
    assert np.abs(piece).max() < 1


def test_the_beginning_of_a_longer_piece_is_the_shorter_one(model: Model, piece: np.ndarray):
    for seconds in (0.1, 0.77, 1.5):
        np.testing.assert_array_equal(
            model.generate(seconds=seconds, seed=5).samples, piece[:, : round(seconds * 8000)]
        )


@pytest.mark.parametrize("block_seconds", [0.01, 0.25, 0.3])
def test_streamed_is_the_same_piece_for_any_block_size(model: Model, piece: np.ndarray, block_seconds: float):
    size = round(block_seconds * 8000)
    blocks = list(itertools.islice(model.stream(seed=5, block_seconds=block_seconds), 16000 // size))
    assert {block.samples.shape for block in blocks} == {(1, size)}
    streamed = np.concatenate([block.samples for block in blocks], axis=1)
    np.testing.assert_array_equal(streamed, piece[:, : streamed.shape[1]])


def test_a_fresh_model_gives_the_same_bytes(tiny_model: Path, piece: np.ndarray):
    np.testing.assert_array_equal(halfstep.load(str(tiny_model)).generate(seconds=2, seed=5).samples, piece)


def test_other_seeds_and_steps_are_other_pieces(model: Model, piece: np.ndarray):
    for other in (model.generate(seconds=2, seed=6), model.generate(seconds=2, seed=5, steps=1)):
        assert abs(np.corrcoef(other.samples[0], piece[0])[0, 1]) < 0.5


def test_a_longer_stream_goes_on_through_many_windows(model: Model):
    blocks = itertools.islice(model.stream(seed=1, block_seconds=1.0), 30)
    levels = [float(np.sqrt(np.mean(block.samples**2))) for block in blocks]
    assert max(levels) / min(levels) < 1.5


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"seconds": 0}, "seconds is 0: give a number above 0"),
        ({"seconds": -1}, "seconds is -1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": float("inf")}, "seconds is inf"),
        ({"seconds": 1e12}, "seconds is 1e.12: give a number above 0 and at most 86400"),
        ({"seconds": 1e-9}, "seconds is 1e-09"),
        ({"seconds": 1, "seed": -1}, "seed is -1"),
        ({"seconds": 1, "seed": 2**64}, "seed is 18446744073709551616"),
        ({"seconds": 1, "steps": 2}, r"steps 2: model tiny-gauss serves 1, 4"),
        ({"seconds": 1, "steps": 0}, r"steps 0: model tiny-gauss serves 1, 4"),
        ({"seconds": 1, "context": "no/such.wav"}, "such.wav"),
    ],
)
def test_what_cannot_be_made_is_refused_by_name(model: Model, arguments: dict, line: str):
    with pytest.raises(InputError, match=line):
        model.generate(**arguments)


def test_a_stream_is_refused_before_its_first_block(model: Model):
    with pytest.raises(InputError, match="steps 3"):
        model.stream(steps=3)
    with pytest.raises(InputError, match="block_seconds is 0"):
        model.stream(block_seconds=0)


def test_the_largest_seed_plays(model: Model):
    assert model.generate(seconds=0.1, seed=2**64 - 1).samples.shape == (1, 800)


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    """A second and a bit of a rising tone, [n] at 8 kHz, well below the knee of the limiter."""
    time = np.arange(9001) / 8000
    return (0.3 * np.sin(2 * np.pi * (300 + 50 * time) * time)).astype(np.float32)


def test_a_continuation_begins_with_the_recording_and_goes_on(model: Model, recording: np.ndarray):
    out = model.generate(seconds=1, seed=2, context=Audio(recording[None], 8000)).samples
    blended = model.manifest.mel.lead + model.manifest.mel.hop_length
    assert out.shape == (1, 9001 + 8000)
    np.testing.assert_array_equal(out[0, : 9001 - blended], recording[: 9001 - blended])
    assert np.sqrt(np.mean(out[0, 9001:] ** 2)) > 1e-3


def test_a_continuation_depends_on_what_it_continues(model: Model, recording: np.ndarray):
    one, other = (
        model.generate(seconds=0.2, seed=2, context=Audio(samples.astype(np.float32)[None], 8000)).samples[:, 9001:]
        for samples in (recording, recording[::-1] * 0.1)
    )
    assert np.abs(one - other).max() > 1e-3


def test_a_continuation_does_not_jump_where_it_begins(model: Model, recording: np.ndarray):
    """The step from sample to sample over the join is no larger than elsewhere in what is joined."""
    for seed in range(5):
        out = model.generate(seconds=1, seed=seed, context=Audio(recording[None], 8000)).samples[0]
        steps = np.abs(np.diff(out))
        join = slice(9001 - 2 * model.manifest.mel.n_fft, 9001 + 32)
        elsewhere = np.concatenate([steps[: join.start], steps[join.stop :]])
        assert steps[join].max() <= 1.2 * elsewhere.max()


@pytest.mark.parametrize("length", [9001, 1000, 500])
def test_a_file_and_what_it_holds_are_continued_alike(model: Model, recording: np.ndarray, tmp_path: Path, length: int):
    write(tmp_path / "take.wav", [recording[None, :length]], 8000, {})
    from_file = model.generate(seconds=0.5, seed=1, context=tmp_path / "take.wav").samples
    from_audio = model.generate(seconds=0.5, seed=1, context=read(tmp_path / "take.wav")).samples
    assert from_file.shape == (1, length + 4000)
    np.testing.assert_array_equal(from_file, from_audio)


@pytest.mark.parametrize("channels", [2, 6, 8])
def test_channels_are_kept(model: Model, recording: np.ndarray, channels: int):
    """One of them alone has sound: so it has in what is new."""
    several = np.zeros((channels, 9001), np.float32)
    several[0] = recording
    out = model.generate(seconds=0.5, context=Audio(several, 8000)).samples
    assert out.shape == (channels, 13001)
    np.testing.assert_array_equal(out[:, :8000], several[:, :8000])
    assert np.abs(out[0, 9001:]).max() > 1e-3
    assert np.abs(out[1:]).max() < 1e-4


@pytest.mark.parametrize("rate", [16000, 11025, 6000])
def test_a_recordings_rate_is_kept(model: Model, recording: np.ndarray, tmp_path: Path, rate: int):
    """What is new has twice the samples a second, and its music is that of the model's own rate."""
    write(tmp_path / "take.wav", [recording[None]], rate, {}, exact=True)
    as_read = read(tmp_path / "take.wav").samples
    for context in (tmp_path / "take.wav", Audio(as_read, rate)):
        out = model.generate(seconds=0.5, context=context)
        assert (out.samples.shape, out.sample_rate) == ((1, 9001 + rate // 2), rate)
        np.testing.assert_array_equal(out.samples[0, :8000], as_read[0, :8000])
        assert np.sqrt(np.mean(out.samples[0, 9001:] ** 2)) > 1e-3


def test_a_recording_too_short_to_know_anything_of_is_refused(model: Model):
    with pytest.raises(InputError, match=r"the recording to continue: 0\.025 s long, at least 0\.0\d\d s"):
        model.generate(seconds=1, context=Audio(np.zeros((1, 200), np.float32), 8000))


def test_a_model_without_context_plays_too(tmp_path: Path, write_model: Callable[..., Path], recording: np.ndarray):
    model = halfstep.load(write_model(tmp_path / "m", context=False))
    assert model.generate(seconds=1).samples.shape == (1, 8000)
    assert model.generate(seconds=1, context=Audio(recording[None], 8000)).samples.shape == (1, 17001)


def test_a_loop_has_exactly_the_samples_asked_for_at_any_steps(model: Model):
    for seconds, steps in ((0.33, 4), (0.5, 1), (1.00007, 4), (2.5, 1)):
        loop = model.generate(seconds=seconds, steps=steps, loop=True)
        assert loop.samples.shape == (1, round(seconds * 8000))
        assert 1e-4 < np.abs(loop.samples).max() < 1


def test_the_wrap_of_a_loop_is_as_smooth_as_its_middle(model: Model):
    """Over 40 loops: the largest step from sample to sample around the wrap, against as many samples elsewhere."""
    wraps, middles = [], []
    for seed in range(40):
        twice = np.tile(model.generate(seconds=0.75, seed=seed, loop=True).samples[0], 2)
        steps = np.abs(np.diff(twice)) / np.abs(np.diff(twice)).mean()
        wraps.append(steps[6000 - 65 : 6000 + 64].max())
        middles.append(steps[3000 - 65 : 3000 + 64].max())
    assert np.mean(wraps) < 1.15 * np.mean(middles)


def test_loops_and_gaps_are_the_same_again_and_other_for_other_seeds(model: Model, recording: np.ndarray):
    take = Audio(recording[None], 8000)
    wishes: tuple[dict[str, Any], ...]
    wishes = {"loop": True}, {"loop": True, "context": take}, {"into": take, "context": take}
    for wish in wishes:
        first, again, other = (model.generate(seconds=0.6, seed=seed, **wish).samples for seed in (3, 3, 4))
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - other).max() > 1e-3


def test_a_recording_closed_into_a_loop_is_kept_but_for_its_ends(model: Model, recording: np.ndarray):
    loop = model.generate(seconds=0.5, seed=1, context=Audio(recording[None], 8000), loop=True).samples
    assert loop.shape == (1, 9001 + 4000)
    blended = model.manifest.mel.n_fft
    np.testing.assert_array_equal(loop[0, blended : 9001 - blended], recording[blended : 9001 - blended])


def test_a_recording_passes_into_what_closes_it_without_a_click(
    tmp_path: Path, write_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    """A tone cut off at its peaks, and music that is all but silent: no step is larger than those of the tone, which a
    cut would make 2.9 times as large.
    """
    monkeypatch.setattr("halfstep.generation.sides.gain_to_model", lambda *_: 0.0)  # or it were as loud as the tone
    silent = halfstep.load(write_model(tmp_path / "silent", band_mean=(-11.0,) * 8))
    tone = 0.3 * np.cos(2 * np.pi * 440 / 8000 * np.arange(9001)).astype(np.float32)
    loop = silent.generate(seconds=0.5, seed=1, context=Audio(tone[None], 8000), loop=True).samples[0]
    assert np.abs(loop[9001 + 512 : -512]).max() < 0.01
    steps = np.abs(np.diff(loop, append=loop[0]))
    assert steps.max() < 1.5 * np.abs(np.diff(tone)).max()


@pytest.mark.parametrize("seconds", [1 / 8000, 0.01, 0.5, 3.0])
def test_a_gap_between_two_recordings_has_exactly_its_length(model: Model, recording: np.ndarray, seconds: float):
    one, other = recording, recording[::-1][:5000]
    out = model.generate(seconds=seconds, context=Audio(one[None], 8000), into=Audio(other[None], 8000)).samples
    count, blended = round(seconds * 8000), model.manifest.mel.n_fft
    assert out.shape == (1, 9001 + count + 5000)
    np.testing.assert_array_equal(out[0, : 9001 - blended], one[: 9001 - blended])
    np.testing.assert_array_equal(out[0, 9001 + count + blended :], other[blended:])


def test_a_damaged_span_is_regenerated_and_the_rest_stays(model: Model, recording: np.ndarray):
    damaged = recording.copy()
    damaged[4000:4400] = 0.9
    out = model.mend(Audio(damaged[None], 8000), 0.5, 0.55).samples
    assert out.shape == (1, 9001)
    np.testing.assert_array_equal(out[0, :3744], recording[:3744])
    np.testing.assert_array_equal(out[0, 4656:], recording[4656:])
    new, around = out[0, 4000:4400], np.concatenate([recording[:4000], recording[4400:]])
    assert abs(new.mean()) < 0.1
    assert 0.7 < new.std() / around.std() < 1.4


def test_a_recording_too_short_to_loop_is_refused(model: Model):
    short = Audio(np.full((1, 520), 0.1, np.float32), 8000)
    assert model.generate(seconds=0.1, context=short, loop=True).samples.shape == (1, 1320)
    with pytest.raises(InputError, match="the recording to (loop|continue)"):
        model.generate(seconds=0.1, context=Audio(short.samples[:, :330], 8000), loop=True)


def test_no_variation_is_the_piece_and_all_of_it_another(model: Model, piece: np.ndarray):
    varied = {share: model.generate(seconds=2, seed=5, variation=share, toward=9).samples for share in (0, 0.2, 1)}
    np.testing.assert_array_equal(varied[0], piece)
    assert np.abs(varied[0.2] - piece).max() > 1e-3
    usual = model.generate(seconds=2, seed=5, variation=1).samples
    np.testing.assert_array_equal(usual, model.generate(seconds=2, seed=5, variation=1, toward=6).samples)


def test_the_more_it_is_varied_the_less_a_mel_is_like_its_piece(model: Model):
    def mel(share: float) -> np.ndarray:
        blocks = mel_stream(
            model.engine.sampler(), model.engine.canvas(Piece(seconds=1, seed=5, variation=share, toward=9))
        )
        return np.concatenate(list(itertools.islice(blocks, 6)), axis=1)

    alike = [np.corrcoef(mel(0).ravel(), mel(share).ravel())[0, 1] for share in (0, 0.2, 0.5, 0.8, 1)]
    assert alike[0] == pytest.approx(1) and (np.diff(alike) < 0).all()
    np.testing.assert_array_equal(mel(1), np.concatenate(list(itertools.islice(model.mels(seed=9), 6)), axis=1))


def test_a_stream_drifts_from_one_seed_to_the_other(model: Model):
    """At first it is the one piece, and when the time is over the other (this network minds its past little)."""

    def mel(**wish: Any) -> np.ndarray:
        canvas = model.engine.canvas(Piece(seconds=1, **wish))
        return np.concatenate(list(itertools.islice(mel_stream(model.engine.sampler(), canvas), 20)), axis=1)

    drift, one, other = mel(seed=5, toward=9), mel(seed=5), mel(seed=9)
    begin, end = slice(0, 12), slice(130, 230)
    assert np.corrcoef(drift[:, begin].ravel(), one[:, begin].ravel())[0, 1] > 0.9
    assert np.corrcoef(drift[:, end].ravel(), other[:, end].ravel())[0, 1] > 0.99
    blocks = model.stream(seed=5, toward=9, over_seconds=1, block_seconds=0.5)
    assert next(blocks).samples.shape == (1, 4000)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"loop": True, "seconds": 0.1}, r"seconds is 0\.1: a loop takes 0\.320 to 900"),
        ({"loop": True, "seconds": 1000}, "seconds is 1000: a loop takes"),
        ({"into": "b.wav"}, "into: name the recording before it: context"),
        ({"into": "b.wav", "context": "a.wav", "loop": True}, "into: a loop leads into its own beginning"),
        ({"variation": 1.5}, "variation is 1.5: give a number from 0"),
        ({"variation": float("nan")}, "variation is nan"),
        ({"toward": -1}, "toward is -1: give a whole number"),
        ({"toward": 3, "loop": True}, "toward: a loop ends where it began; say how far with variation"),
    ],
)
def test_wishes_that_do_not_go_together_are_refused(model: Model, arguments: dict[str, Any], line: str):
    with pytest.raises(InputError, match=line):
        model.generate(**(dict[str, Any](seconds=1) | arguments))


@pytest.mark.parametrize(("start", "stop"), [(-0.1, 1), (0.5, 0.5), (0.8, 0.2), (0.5, 2), (float("nan"), 1)])
def test_a_span_that_is_none_is_refused(model: Model, recording: np.ndarray, start: float, stop: float):
    with pytest.raises(InputError, match="give two times in order"):
        model.mend(Audio(recording[None], 8000), start, stop)


@given(size=st.integers(1, 9000))
@settings(max_examples=15)
def test_any_blocks_of_any_stream_are_its_piece(model: Model, size: int):
    """Drifting, after a recording or plain: cut anywhere, the same samples."""
    take = Audio((0.2 * np.sin(np.arange(4000) / 7)).astype(np.float32)[None], 8000)
    wishes: tuple[dict[str, Any], ...] = {}, {"context": take}, {"toward": 2, "over_seconds": 0.5}
    for wish in wishes:
        whole = np.concatenate([b.samples for b in itertools.islice(model.stream(1, **wish), 2)], axis=1)
        cut = model.stream(1, block_seconds=size / 8000, **wish)
        streamed = np.concatenate([b.samples for b in itertools.islice(cut, -(-8000 // size))], axis=1)
        np.testing.assert_array_equal(streamed[:, :8000], whole[:, :8000])


def test_a_stream_begins_at_any_moment(tiny_model: Path):
    """The same samples as in passages from the frame on, cut to the sample; from 0, the stream itself."""
    model = halfstep.load(tiny_model)
    hop = model.manifest.mel.hop_length
    first = next(model.stream(3, start=(10 * hop + 5) / 8000, block_seconds=0.1)).samples
    wanted = np.concatenate(
        [p.samples for p, _ in zip(model.passages(Piece(seconds=1, seed=3), 10), "ab", strict=False)], 1
    )
    np.testing.assert_array_equal(first, wanted[:, 5:805])
    np.testing.assert_array_equal(next(model.stream(3, start=0.0)).samples, next(model.stream(3)).samples)
    with pytest.raises(InputError, match="start"):
        model.stream(3, context=np.zeros(8000), start=1.0)
    with pytest.raises(InputError, match="start"):
        model.stream(3, start=-1.0)


def test_an_array_is_a_recording_at_the_models_rate(tiny_model: Path):
    model, samples = halfstep.load(tiny_model), np.random.default_rng(0).uniform(-0.3, 0.3, 8000).astype(np.float32)
    made = [model.generate(1, context=take).samples for take in (samples, samples[None], halfstep.Audio(samples, 8000))]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


def test_progress_is_told_in_seconds_and_ends_at_all_of_them(tiny_model: Path):
    """After every block how much is done of what there will be: never more than that, though the last block goes on."""
    model, request, reports = halfstep.load(tiny_model), Piece(seconds=2.5), list[tuple[float, float]]()
    model.play(request, lambda done, of: reports.append((done, of)))
    done = np.cumsum([block.shape[1] for block in model.blocks(request)]) / 8000
    assert reports == [(min(2.5, seconds), 2.5) for seconds in done] and len(reports) > 1 and reports[-1] == (2.5, 2.5)


def test_what_is_not_said_is_seed_0_and_blocks_of_a_second(model: Model, recording: np.ndarray):
    take = Audio(recording[None], 8000)
    ways: list[Callable[..., Audio]] = [
        lambda **seed: model.generate(0.1, **seed),
        lambda **seed: model.mend(take, 0.5, 0.55, **seed),
        lambda **seed: model.restyle(take, 0.5, **seed),
        lambda **seed: next(model.stream(**seed)),
    ]
    for way in ways:
        np.testing.assert_array_equal(way().samples, way(seed=0).samples)
        assert (way().samples != way(seed=1).samples).any()
    assert next(model.stream()).samples.shape == (1, 8000)
    with pytest.raises(InputError, match="over_seconds is 0"):
        model.stream(over_seconds=0)


def test_the_package_names_its_types_and_loads_them_late():
    assert halfstep.Model is type(halfstep.load()) and halfstep.Audio is Audio
    assert {"Model", "Audio", "load", "InputError"} <= set(dir(halfstep))
    with pytest.raises(AttributeError, match="nothing"):
        _ = halfstep.nothing
