"""What a stage asks for is what is played: tempo by the clock, changes at bar lines, messages over the network."""

import itertools
import socket
import time
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.app.play.stage import MidiClock, Stage, Wanted, listen_osc, staged

SENT = (("seed", "x"), ("gain", [1, 2]), ("nothing", 1), ("seed", 9), ("gain", -99.0), ("bpm", 96.0))


@pytest.mark.parametrize("bpm", [60.0, 96.0, 174.0])
def test_a_clock_that_wavers_has_its_tempo(bpm: float):
    stage = Stage(Wanted())
    clock, rng = MidiClock(stage), np.random.default_rng(0)
    for tick in range(100):
        clock.hear("clock", tick * 60 / bpm / 24 + rng.uniform(-1e-4, 1e-4))
    assert stage.wanted.bpm == pytest.approx(bpm, rel=0.01)
    clock.hear("stop", 0)
    assert stage.wanted.paused and clock.bpm is None
    clock.hear("continue", 0)
    assert not stage.wanted.paused


def test_less_than_a_beat_or_an_absurd_one_is_no_tempo():
    stage = Stage(Wanted())
    clock = MidiClock(stage)
    for tick in range(24):
        clock.hear("clock", tick / 48)
    assert stage.wanted.bpm is None
    clock = MidiClock(stage)
    for tick in range(100):
        clock.hear("clock", tick * 1e-4)
    assert stage.wanted.bpm is None


def test_without_a_clock_it_is_the_stream_and_gain_and_pause_are_heard(tiny_model: Path):
    model, stage = halfstep.load(tiny_model), Stage(Wanted(seed=3))
    blocks = staged(model, stage, 0.25)
    next(blocks)  # fades in
    played = np.concatenate([block.samples for block in itertools.islice(blocks, 3)], axis=1)
    np.testing.assert_array_equal(played, model.generate(1, seed=3).samples[:, 2000:])
    stage.change(gain_db=-20.0)
    next(blocks)
    np.testing.assert_allclose(next(blocks).samples, model.generate(2, seed=3).samples[:, 10000:12000] / 10, atol=1e-6)
    stage.change(paused=True)
    next(blocks)
    assert not next(blocks).samples.any()


def test_at_a_tempo_a_loop_of_bars_repeats_and_another_begins_at_a_bar(tiny_model: Path):
    """One bar of four beats at 240 is a second; changed within it, 120 begins at its end, faded for .1 s."""
    model, stage = halfstep.load(tiny_model), Stage(Wanted(seed=3, bpm=240.0))
    blocks = staged(model, stage, 0.3, bars=1)
    loop, slower = (model.generate(seconds, seed=3, loop=True).samples[0] for seconds in (1.0, 2.0))
    played = [next(blocks).samples[0] for _ in range(4)]
    np.testing.assert_array_equal(np.concatenate(played)[2400:], np.tile(loop, 2)[2400:9600])
    stage.change(bpm=120.0)
    after = np.concatenate([next(blocks).samples[0] for _ in range(6)])
    np.testing.assert_array_equal(after[: 16000 - 9600], loop[1600:])
    begun = after[16000 - 9600 :]
    np.testing.assert_array_equal(begun[800:], slower[800 : len(begun)])
    assert not np.array_equal(begun[:800], slower[:800])


def test_messages_change_what_is_wanted_and_others_change_nothing():
    from pythonosc.udp_client import SimpleUDPClient

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    stage = Stage(Wanted())
    end = listen_osc(stage, port)
    try:
        client = SimpleUDPClient("127.0.0.1", port)
        for path, value in SENT:
            client.send_message(f"/halfstep/{path}", value)
        client._sock.close()
        until = time.monotonic() + 5
        while stage.wanted != Wanted(seed=9, gain_db=-60.0, bpm=96.0) and time.monotonic() < until:
            time.sleep(0.01)
        assert stage.wanted == Wanted(seed=9, gain_db=-60.0, bpm=96.0)
    finally:
        end()
