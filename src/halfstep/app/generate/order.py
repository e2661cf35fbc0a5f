"""What `halfstep generate` was asked for, and what of it makes no sense together; nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path

from halfstep.errors import InputError

USUAL_SECONDS = 30.0
USUAL_BEATS = 4


@dataclass(frozen=True, kw_only=True)
class Order:
    """The options as they were typed; see `halfstep generate --help`."""

    out: Path
    seconds: float | None
    bars: float | None
    bpm: float | None
    beats: int | None
    seed: int
    steps: int | None
    model: str | None
    count: int
    loop: bool
    recording: Path | None
    into: Path | None
    mend: Path | None
    mend_from: float | None
    mend_to: float | None
    variation: float | None
    toward: int | None
    vocoder: str | None
    plot: bool

    @property
    def new_seconds(self) -> float:
        """How much new music: as typed, or as many bars as were typed. InputError for half of a pair."""
        if self.bars is None and self.bpm is None:
            _refuse(self.beats is not None, "--beats", "counts the beats of --bars at --bpm: give those too")
            return USUAL_SECONDS if self.seconds is None else self.seconds
        if self.bars is None or self.bpm is None:
            raise InputError("--bars and --bpm: one says nothing without the other; give both")
        _refuse(
            self.seconds is not None, "--seconds", "--bars and --bpm give the length already; leave one of them out"
        )
        beats = USUAL_BEATS if self.beats is None else self.beats
        _expect("--bars", self.bars)
        _expect("--bpm", self.bpm)
        _expect("--beats", beats)
        return self.bars * beats * 60 / self.bpm

    def check(self) -> None:
        """InputError naming the option that does not go with another."""
        _refuse(self.into is not None and self.recording is None, "--into", "name the recording before it: --continue")
        _refuse(self.into is not None and self.loop, "--into", "a --loop leads into its own beginning; leave one out")
        _refuse(
            self.loop and self.out.suffix.lower() == ".mp3",
            "--loop",
            "an MP3 begins and ends with silence of its own; use .wav, .flac or .ogg",
        )
        drifts = self.toward is not None and self.variation is None
        _refuse(self.loop and drifts, "--toward", "a --loop ends where it began; say how far with --vary")
        if self.variation is not None and not 0 <= self.variation <= 1:
            raise InputError(f"--vary is {self.variation:g}: give a number from 0, the same, to 1, another piece")
        timed = self.mend_from is not None or self.mend_to is not None
        if self.mend is None:
            _refuse(timed, "--from and --to", "they say where to --mend a recording: name it")
            return
        _refuse(self.mend_from is None or self.mend_to is None, "--mend", "give the span to make anew: --from and --to")
        others = {
            "--continue": self.recording is not None,
            "--loop": self.loop,
            "--seconds": self.seconds is not None,
            "--bars": self.bars is not None or self.bpm is not None,
        }
        for name, given in others.items():
            _refuse(given, name, "--mend keeps a recording's own length and ends; leave it out")


def _refuse(when: bool, option: str, why: str) -> None:
    if when:
        raise InputError(f"{option}: {why}")


def _expect(option: str, value: float) -> None:
    if not 0 < value < 1e6:
        raise InputError(f"{option} is {value:g}: give a number above 0")
