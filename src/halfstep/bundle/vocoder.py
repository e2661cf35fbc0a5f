"""The two networks of a folder's vocoder, as a stream: each call goes on where the last one ended."""

import numpy as np

from halfstep.audio.mel import Float32, MelConfig
from halfstep.bundle.session import OnnxNetwork


class OnnxVocoder:
    """The prior and the refiner of one piece; what `nets.vocoder` says of shapes and delays holds, without batch."""

    def __init__(self, prior: OnnxNetwork, refiner: OnnxNetwork, mel: MelConfig) -> None:
        """InputError if the networks disagree with the mel or with each other."""
        self._prior, self._refiner, self._mel = prior, refiner, mel
        self.prior_delay = prior.fixed_size("mels", 2)
        self.refiner_delay = refiner.fixed_size("waiting", 2)
        self._states = (prior.fixed_size("state", 1), refiner.fixed_size("state", 1))
        self._waits = refiner.fixed_size("waiting", 1)
        self._kept = prior.fixed_size("state", 2)
        width = refiner.fixed_size("hidden", 1)
        bins, n_mels = mel.bins, mel.n_mels
        state, mels = (1, self._states[0], self._kept), (1, n_mels, self.prior_delay)
        magnitude, hidden = (1, bins, None), (1, width, None)
        prior.expect(
            {"log_mel": (1, n_mels, None), "mels": mels, "state": state},
            {
                "magnitude": magnitude,
                "hidden": hidden,
                "mels_after": (*mels[:2], None),
                "state_after": (*state[:2], None),
            },
        )
        waiting = (1, self._waits, self.refiner_delay)
        spectra = (1, 2, bins, None)
        state = (1, self._states[1], self._kept)
        inputs = {"hidden": hidden, "magnitude": magnitude, "planned": spectra, "heard": spectra}
        after = {"waiting_after": (*waiting[:2], None), "state_after": (*state[:2], None)}
        refiner.expect({**inputs, "waiting": waiting, "state": state}, {"spectra": spectra, **after})
        self.begin()

    def begin(self) -> None:
        """Forget what came before."""
        self._mels: Float32 | None = None
        self._prior_state = np.zeros((1, self._states[0], self._kept), np.float32)
        self._refiner_state = np.zeros((1, self._states[1], self._kept), np.float32)
        self._waiting = np.zeros((1, self._waits, self.refiner_delay), np.float32)

    @property
    def frames_back(self) -> int:
        """How many frames back either network hears, at most."""
        blocks = (self._states[0] + self._states[1]) // self._width
        return blocks * self._kept

    @property
    def _width(self) -> int:
        return self._refiner.fixed_size("hidden", 1)

    def prior(self, log_mel: Float32) -> tuple[Float32, Float32]:
        """Log-mel [n_mels, k] -> magnitude [bins, k] and hidden [width, k], `prior_delay` frames behind."""
        if self._mels is None:
            self._mels = np.repeat(log_mel[None, :, :1], self.prior_delay, axis=2)
        inputs = {"log_mel": log_mel[None], "mels": self._mels, "state": self._prior_state}
        magnitude, hidden, self._mels, self._prior_state = self._prior(
            inputs, ["magnitude", "hidden", "mels_after", "state_after"]
        )
        return magnitude[0], hidden[0]

    def refiner(self, hidden: Float32, magnitude: Float32, planned: Float32, heard: Float32) -> Float32:
        """hidden [width, k], magnitude [bins, k], planned and heard [2, bins, k] -> spectra [2, bins, k],
        `refiner_delay` frames behind.
        """
        inputs = {
            "hidden": hidden[None], "magnitude": magnitude[None], "planned": planned[None], "heard": heard[None],
            "waiting": self._waiting, "state": self._refiner_state,
        }  # fmt: skip
        spectra, self._waiting, self._refiner_state = self._refiner(inputs, ["spectra", "waiting_after", "state_after"])
        return spectra[0]
