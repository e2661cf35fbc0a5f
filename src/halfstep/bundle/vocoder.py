"""The two networks of a folder's vocoder, as a stream: each call goes on where the last one ended."""

import numpy as np

from halfstep.audio.mel import Float32, MelConfig
from halfstep.bundle.session import OnnxNetwork

WAITING_PARTS = 5  # magnitude, both parts of planned and heard, of frames that are not yet answered


class OnnxVocoder:
    """The prior and the refiner of one piece; what `nets.vocoder` says of shapes and delays holds, without batch."""

    def __init__(self, prior: OnnxNetwork, refiner: OnnxNetwork, mel: MelConfig) -> None:
        """InputError if the networks disagree with the mel or with each other."""
        self._prior, self._refiner, self._mel = prior, refiner, mel
        self.prior_delay = prior.fixed_size("mels", 1)
        self.refiner_delay = refiner.fixed_size("waiting", 2)
        self._states = (prior.fixed_size("state", 1), refiner.fixed_size("state", 1))
        self._kept = prior.fixed_size("state", 2)
        self.width = refiner.fixed_size("hidden", 2)
        bins, n_mels = mel.bins, mel.n_mels
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
        inputs = {"hidden": hidden, "magnitude": magnitude, "planned": spectra, "heard": spectra}
        waiting = (1, WAITING_PARTS, self.refiner_delay, bins)
        after = {"waiting_after": (1, WAITING_PARTS, None, bins), "state_after": (*state[:2], None)}
        refiner.expect({**inputs, "waiting": waiting, "state": state}, {"spectra": spectra, **after})
        self.begin()

    def begin(self) -> None:
        """Forget what came before."""
        self._mels: Float32 | None = None
        self._prior_state = np.zeros((1, self._states[0], self._kept), np.float32)
        self._refiner_state = np.zeros((1, self._states[1], self._kept), np.float32)
        self._waiting = np.zeros((1, WAITING_PARTS, self.refiner_delay, self._mel.bins), np.float32)

    @property
    def frames_back(self) -> int:
        """How many frames back either network hears, at most."""
        blocks = (self._states[0] + self._states[1]) // self.width
        return blocks * self._kept

    def prior(self, log_mel: Float32) -> tuple[Float32, Float32]:
        """Log-mel [k, n_mels] -> magnitude [k, bins] and hidden [k, width], `prior_delay` frames behind."""
        if self._mels is None:
            self._mels = np.repeat(log_mel[None, :1], self.prior_delay, axis=1)
        inputs = {"log_mel": log_mel[None], "mels": self._mels, "state": self._prior_state}
        magnitude, hidden, self._mels, self._prior_state = self._prior(
            inputs, ["magnitude", "hidden", "mels_after", "state_after"]
        )
        return magnitude[0], hidden[0]

    def refiner(self, hidden: Float32, magnitude: Float32, planned: Float32, heard: Float32) -> Float32:
        """hidden [k, width], magnitude [k, bins], planned and heard [2, k, bins] -> spectra [2, k, bins],
        `refiner_delay` frames behind.
        """
        inputs = {
            "hidden": hidden[None], "magnitude": magnitude[None], "planned": planned[None], "heard": heard[None],
            "waiting": self._waiting, "state": self._refiner_state,
        }  # fmt: skip
        spectra, self._waiting, self._refiner_state = self._refiner(inputs, ["spectra", "waiting_after", "state_after"])
        return spectra[0]
