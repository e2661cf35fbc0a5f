"""What is looked at while plans are learned: error by noise level, and how samples differ from real guides."""

import numpy as np

from halfstep.arrays import Float
from halfstep.metrics.frechet import frechet_distance
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.inpainting_observer import InpaintingObserver
from halfstep.tasks.plan.task import PlanTask
from halfstep.training.observe import Judged


class PlanObserver(InpaintingObserver[PlanTask]):
    """Held-out figures and pictures of a model of plans."""

    judged = Judged("frechet_rows", "Frechet (rows)")

    def look(self, windows: Float[np.ndarray, "windows values frames"]) -> dict[str, float]:
        """The Frechet distance of every value's mean, deviation and mean step, samples to held-out guides, in roots."""
        return {"samples/frechet_rows": frechet_distance(_features(windows), _features(self.log_mel(self.real)))}

    def mels(self, windows: Float[np.ndarray, "windows values frames"]) -> Float[np.ndarray, "windows values frames"]:
        """Rows are drawn as bands would be."""
        return windows

    def sample(self, denoiser: Denoiser, step: int) -> None:
        """A picture of samples over real guides."""
        from halfstep.training.drawing import draw_rows

        (self.folder / "samples").mkdir(parents=True, exist_ok=True)
        rows = {"samples": self.windows(denoiser, self.num_steps)[:4], "real": self.log_mel(self.real)[:4]}
        draw_rows(self.folder / "samples" / f"step-{step:08d}.png", rows)


def _features(windows: Float[np.ndarray, "windows values frames"]) -> Float[np.ndarray, "windows features"]:
    """Of each window, every value's mean, deviation and mean step."""
    steps = np.abs(np.diff(windows, axis=2)).mean(axis=2)
    return np.concatenate([windows.mean(axis=2), windows.std(axis=2), steps], axis=1)
