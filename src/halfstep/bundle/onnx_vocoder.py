"""The networks of a folder's vocoder, as a stream: each call goes on where the last one ended."""

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.bass import as_parts
from halfstep.audio.bass_grid import bass_bins, fitted_bins
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError
from halfstep.fields import AGAIN

WAITING_PARTS = 5  # magnitude, both parts of planned and consistent, of frames that are not yet answered
FAINT = 1e-6  # of a bin before the first frame, of 512 for a sine at full scale: its phase is all that is of use


class OnnxVocoder:
    """The prior, the refiner and, if there is one, the search for the bass of one piece.

    What `learned_vocoder.networks` and `learned_vocoder.bass_net` say of shapes and delays holds, without batch.
    """

    def __init__(
        self, prior: OnnxNetwork, refiner: OnnxNetwork, mel: MelConfig, bass: OnnxNetwork | None = None
    ) -> None:
        """InputError if the networks disagree with the mel or with each other."""
        self._prior, self._refiner, self._mel, self._bass = prior, refiner, mel, bass
        self._grid = synthesis_grid(mel)
        self.prior_delay = prior.fixed_size("mels", 1)
        self.refiner_delay = refiner.fixed_size("waiting", 2)
        self._states = (prior.fixed_size("state", 1), refiner.fixed_size("state", 1))
        self._kept = prior.fixed_size("state", 2)
        self.width = refiner.fixed_size("hidden", 2)
        bins, n_mels = self._grid.bins, mel.n_mels
        state, magnitude, hidden = (1, self._states[0], self._kept), (1, None, bins), (1, None, self.width)
        prior.expect(
            {"log_mel": (1, None, n_mels), "mels": (1, self.prior_delay, n_mels), "state": state},
            {
                "magnitude": magnitude,
                "hidden": hidden,
                "mels_after": (1, None, n_mels),
                "state_after": (*state[:2], None),
            },
        )
        spectra, state = (1, 2, None, bins), (1, self._states[1], self._kept)
        inputs = {"hidden": hidden, "magnitude": magnitude, "planned": spectra, "consistent": spectra}
        waiting = (1, WAITING_PARTS, self.refiner_delay, bins)
        after = {"waiting_after": (1, WAITING_PARTS, None, bins), "state_after": (*state[:2], None)}
        refiner.expect({**inputs, "waiting": waiting, "state": state}, {"spectra": spectra, **after})
        self.bass_delay = 0
        if bass is not None:
            self._expect_bass(bass)
        self.begin(np.random.default_rng(0))

    def _expect_bass(self, bass: OnnxNetwork) -> None:
        self._bass_block, kept = bass.fixed_size("log_mel", 0), bass.fixed_size("frames", 0)
        self.bass_delay, lines = bass.fixed_size("targets", 0), bass.fixed_size("targets", 1)
        parts, n_mels = 2 * bass_bins(self._mel), self._mel.n_mels
        frames_shape, targets_shape = (kept, 2 * fitted_bins(self._mel)), (self.bass_delay, lines)
        bass.expect(
            {"log_mel": (self._bass_block, n_mels), "frames": frames_shape, "targets": targets_shape},
            {"spectra": (self._bass_block, parts), "frames_after": frames_shape, "targets_after": targets_shape},
        )
        late = self.bass_delay + self._bass_block - 1
        allowed = self.prior_delay + self._grid.reach + self.refiner_delay
        if late > allowed:
            raise InputError(f"the vocoder's bass is up to {late} frames late, its other networks {allowed}; {AGAIN}")

    def begin(self, rng: np.random.Generator) -> None:
        """Forget what came before. `rng` draws the phases in which the bass begins."""
        self._mels: Float32[np.ndarray, "..."] | None = None
        self._prior_state = np.zeros((1, self._states[0], self._kept), np.float32)
        self._refiner_state = np.zeros((1, self._states[1], self._kept), np.float32)
        self._waiting = np.zeros((1, WAITING_PARTS, self.refiner_delay, self._grid.bins), np.float32)
        self._unanswered = np.zeros((0, self._mel.n_mels), np.float32)  # less than a block of the bass
        if self._bass is not None:
            kept, parts = self._bass.fixed_size("frames", 0), self._bass.fixed_size("frames", 1)
            turns = np.exp(1j * rng.uniform(0, 2 * np.pi, (kept, parts // 2)))
            self._frames = as_parts((FAINT * turns).astype(np.complex64))
            lines = self._bass.fixed_size("targets", 1)
            self._targets = np.full((self.bass_delay, lines), self._mel.floor, np.float32)

    @property
    def bass_bins(self) -> int:
        """How many of the lowest bins `bass` answers for."""
        return 0 if self._bass is None else bass_bins(self._mel)

    @property
    def frames_back(self) -> int:
        """How many frames back either network hears, at most."""
        blocks = (self._states[0] + self._states[1]) // self.width
        return blocks * self._kept

    def prior(
        self, log_mel: Float32[np.ndarray, "frames bands"]
    ) -> tuple[Float32[np.ndarray, "frames bins"], Float32[np.ndarray, "frames width"]]:
        """Log-mel [k, n_mels] -> magnitude [k, bins] and hidden [k, width], `prior_delay` frames behind."""
        if self._mels is None:
            self._mels = np.repeat(log_mel[None, :1], self.prior_delay, axis=1)
        inputs = {"log_mel": log_mel[None], "mels": self._mels, "state": self._prior_state}
        magnitude, hidden, self._mels, self._prior_state = self._prior(
            inputs, ["magnitude", "hidden", "mels_after", "state_after"]
        )
        for name, value in (("magnitude", magnitude), ("hidden", hidden)):
            self._expect_frames(self._prior, name, value, len(log_mel), 1)
        return magnitude[0], hidden[0]

    def refiner(
        self,
        hidden: Float32[np.ndarray, "frames width"],
        magnitude: Float32[np.ndarray, "frames bins"],
        planned: Float32[np.ndarray, "2 frames bins"],
        consistent: Float32[np.ndarray, "2 frames bins"],
    ) -> Float32[np.ndarray, "2 frames bins"]:
        """hidden [k, width], magnitude [k, bins], planned and consistent [2, k, bins] -> spectra [2, k, bins],
        `refiner_delay` frames behind.
        """
        inputs = {
            "hidden": hidden[None], "magnitude": magnitude[None],
            "planned": planned[None], "consistent": consistent[None],
            "waiting": self._waiting, "state": self._refiner_state,
        }  # fmt: skip
        spectra, self._waiting, self._refiner_state = self._refiner(inputs, ["spectra", "waiting_after", "state_after"])
        self._expect_frames(self._refiner, "spectra", spectra, len(hidden), 2)
        return spectra[0]

    def _expect_frames(
        self, network: OnnxNetwork, name: str, value: Float32[np.ndarray, "..."], frames: int, axis: int
    ) -> None:
        """As many frames come out as went in."""
        if value.shape[axis] != frames:
            raise network.misshapen(name, value, (*value.shape[:axis], frames, *value.shape[axis + 1 :]))

    def bass(self, log_mel: Float32[np.ndarray, "frames bands"]) -> Float32[np.ndarray, "settled parts"]:
        """Log-mel [k, n_mels] -> the lowest bins' spectra [m, 2 b], real parts before imaginary ones, `bass_delay`
        frames behind; m is k less what waits for a whole block. b is 0 if there is no bass.
        """
        if self._bass is None:
            return np.zeros((len(log_mel), 0), np.float32)
        frames, block = np.concatenate([self._unanswered, log_mel]), self._bass_block
        whole = len(frames) - len(frames) % block
        self._unanswered = frames[whole:]
        parts = [np.zeros((0, 2 * self.bass_bins), np.float32)]
        for start in range(0, whole, block):
            inputs = {"log_mel": frames[start : start + block], "frames": self._frames, "targets": self._targets}
            spectra, self._frames, self._targets = self._bass(inputs, ["spectra", "frames_after", "targets_after"])
            parts.append(spectra)
        return np.concatenate(parts)
