import numpy as np
import torch

from halfstep.audio import steady
from halfstep.audio.mel import MelConfig
from halfstep.learned_vocoder.torch_steady import steady_units

GRID = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)


def test_in_torch_phases_run_on_as_in_numpy():
    """Rows without a peak, with plateaus and with a peak at every other bin among them."""
    rng = np.random.default_rng(0)
    magnitude = np.exp(rng.normal(size=(3, 40, GRID.bins))).astype(np.float32)
    magnitude[0, 3] = 1
    magnitude[1, 5] = np.arange(GRID.bins)
    magnitude[2, 7] = np.arange(GRID.bins) % 2
    magnitude[2, 8, 10:20] = 9
    before = rng.uniform(0, 6, (3, GRID.bins)).astype(np.float32)
    wanted = steady.steady_units(magnitude, before, GRID)
    result = steady_units(torch.from_numpy(magnitude), torch.from_numpy(before), GRID)
    np.testing.assert_allclose(result.numpy(), wanted, atol=1e-4)
