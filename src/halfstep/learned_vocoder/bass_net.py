"""The search of `audio.bass` as a stream: nothing is learned, it is a module so that it is exported as networks are.

A call answers for a block of frames. It works on these and on `ahead` more, with which the next
call goes on; frames given out before stay as they are. New frames begin as tones that turn on as
those before them did.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.audio.bass import fit_to_mel, mel_ratio, on_sounded_grid
from halfstep.audio.bass_grid import TINY, bass_bins, bass_grid
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import reciprocal
from halfstep.learned_vocoder.networks import Pair, VocoderNet, rotate, turn

BLOCK = 4
"""Frames a call. More of them take less time, fewer hear farther ahead."""
ITERATIONS = 28
LONG_AHEAD = 2
LONG_ITERATIONS = 18
"""Where the window is longer than the sounded frames': frames ahead of the block, which is as long as that allows. Its
iterations cost more and leave less open."""
SHARPENING = 2
"""Richardson-Lucy steps of a new frame's magnitudes towards its mel."""
TURNS = 3
"""Hops, at most, over which it is measured how tones turn."""
MATRICES = ("analysis", "targets", "filters", "least", "spread", "levels", "pairs", "sounded")


class BassNet(nn.Module):
    """A stream, `block` frames a call, its answers `ahead` frames behind; b and m are those of `BassGrid`.

    State: the frames that still overlap with those to be answered, and the `ahead` to be answered next, [kept, 2 b];
    the targets of the latter, [ahead, m].
    """

    analysis: Float[Tensor, "samples parts"]
    overlap: Float[Tensor, "hops_out hops_in"]
    overlap_of_past: Float[Tensor, "hops_out hops_past"]
    gain: Float[Tensor, "frames samples"]
    back: Float[Tensor, "parts"]

    def __init__(self, mel: MelConfig, ahead: int, iterations: int | None = None, block: int = BLOCK) -> None:
        """For a mel that has `bass_bins`; ahead: 1 or more. iterations: None is as many as such a mel wants."""
        super().__init__()
        self.block = block
        self._grid = bass_grid(mel)
        usual = ITERATIONS if self._grid.sounded is None else LONG_ITERATIONS
        self._iterations = usual if iterations is None else iterations
        for name in MATRICES:
            matrix = getattr(self._grid, name)
            self.register_buffer(name, None if matrix is None else torch.from_numpy(matrix))
        # A frame's way back from its spectrum is its way there, lying and on another scale: stored once.
        there, back = self._grid.analysis[:, : 2 * self._grid.bins], self._grid.synthesis.T
        scale = (there * back).sum(axis=0) / np.maximum(np.square(there).sum(axis=0), TINY)
        self.register_buffer("back", torch.from_numpy(scale.astype(np.float32)))
        hops = len(self._grid.squares) // self._grid.hop
        self.ahead, self.past = ahead, hops - 1
        overlap, given = _overlap(self.past + block + ahead, hops), self.past * hops
        self.register_buffer("overlap", torch.from_numpy(overlap[given:, given:]))
        self.register_buffer("overlap_of_past", torch.from_numpy(overlap[given:, :given]))
        squares = np.tile(self._grid.squares.reshape(hops, -1), (self.past + block + ahead, 1))
        gain = reciprocal(overlap[given:] @ squares).reshape(block + ahead, -1)
        self.register_buffer("gain", torch.from_numpy(gain))

    @property
    def state_shapes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.past + self.ahead, 2 * self._grid.bins), (self.ahead, self._grid.targets.shape[1])

    def forward(
        self,
        log_mel: Float[Tensor, "block bands"],
        frames: Float[Tensor, "kept parts"],
        targets: Float[Tensor, "ahead targets"],
    ) -> tuple[Float[Tensor, "block sounded"], Float[Tensor, "kept parts"], Float[Tensor, "ahead targets"]]:
        """log_mel [block, n_mels] and the state -> spectra [block, 2 `bass_bins`], `ahead` frames behind, and the
        state.
        """
        matrices = {name: getattr(self, name) for name in MATRICES}
        grid = replace(self._grid, synthesis=(self.analysis[:, : 2 * self._grid.bins] * self.back).T, **matrices)
        mel = log_mel.exp()
        now, magnitude = mel @ grid.targets, mel @ grid.levels
        for _ in range(SHARPENING if grid.sounded is None else 0):
            magnitude = magnitude * mel_ratio(magnitude[:, : grid.bins], now, grid)
        targets = torch.cat([targets, now])
        given, going = frames[: self.past], frames[self.past :]
        tail = self.overlap_of_past @ (given @ grid.synthesis).reshape(-1, grid.hop)

        def reframe(hops: Tensor) -> Tensor:
            return torch.addmm(tail, self.overlap, hops).reshape(self.gain.shape) * self.gain

        spectra = torch.cat([going, _turning_on(frames, self.block) * magnitude])
        spectra = fit_to_mel(spectra, targets, self._iterations, grid, reframe, torch.sqrt)
        return (
            on_sounded_grid(spectra, grid, reframe)[: self.block],
            torch.cat([given, spectra])[self.block :],
            targets[self.block :],
        )


def bass_net(net: VocoderNet) -> BassNet | None:
    """The bass beside these networks: it looks as far ahead as they do. None where the mel has no bass to fit, or they
    look less than a block ahead.
    """
    mel = net.mel
    if not bass_bins(mel):
        return None
    late = net.prior.delay + net.grid.reach + net.refiner.delay
    block = BLOCK if net.grid == mel else late + 1 - LONG_AHEAD
    ahead = late + 1 - block
    return BassNet(mel, ahead, block=block) if min(ahead, block) > 0 else None


def _turning_on(past: Float[Tensor, "kept parts"], count: int) -> Float[Tensor, "{count} parts"]:
    """Unit spectra [count, 2 b] of what follows past [k, 2 b]: each bin turns on as over the last TURNS hops."""
    real, imag = past[-1 - TURNS :].chunk(2, dim=1)
    step = _unit(*(part.sum(0) for part in turn((real[:-1], imag[:-1]), (real[1:], imag[1:]))))
    phase = _unit(real[-1], imag[-1])
    frames: list[Tensor] = []
    for _ in range(count):
        phase = rotate(phase, step)
        frames.append(torch.cat(phase))
    return torch.stack(frames)


def _unit(real: Float[Tensor, "bins"], imag: Float[Tensor, "bins"]) -> Pair:
    size = (real * real + imag * imag + TINY**2).sqrt()
    return real / size, imag / size


def _overlap(frames: int, hops: int) -> np.ndarray:
    """[frames * hops, frames * hops]: the windowed hops of all frames -> those of the signal they make together."""
    places = (np.arange(frames)[:, None] + np.arange(hops)).reshape(-1)
    return (places[:, None] == places).astype(np.float32)
