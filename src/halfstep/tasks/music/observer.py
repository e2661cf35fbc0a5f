"""What is looked at while a music model trains: error by noise level, and samples beside real windows."""

from functools import cached_property

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.guide import NO_GUIDE
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.melstats import features, frame_step
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.inpainting_observer import InpaintingObserver
from halfstep.tasks.music.task import Music
from halfstep.training.example import Example
from halfstep.training.loop import move
from halfstep.training.observe import Judged, errors_by_level


class MusicObserver(InpaintingObserver[Music]):
    """Held-out figures and samples of a music model."""

    judged = Judged("frechet_melstats", "Frechet (melstats)")

    @cached_property
    def _guided(self) -> Example | None:
        """The held-out windows with their guides."""
        if self.task.config.guide == NO_GUIDE:
            return None
        nothing = np.zeros((len(self.real), self.task.config.frames), np.float32)
        return move(self.task.given(self.real, nothing, self.task.guides(self.real)), self.device)

    def errors(self, denoiser: Denoiser) -> dict[str, float]:
        """The same, and that at t = 1 given the guide."""
        figures = super().errors(denoiser)
        if self._guided is not None:
            figures["guided/x_error/1.0"] = errors_by_level(denoiser, self._guided, self.schedule)["x_error/1.0"]
        return figures

    def look(self, windows: Float[np.ndarray, "windows bands frames"]) -> dict[str, float]:
        """frame_step and the Frechet distance (48-d melstats) of log-mel windows against the held-out ones; of the
        image, how far its means over time lie from those of the held-out ones, in deviations.
        """
        real, bands = self.log_mel(self.real), self.mel.n_mels
        windows, image, real, real_image = windows[:, :bands], windows[:, bands:], real[:, :bands], real[:, bands:]
        return {
            "samples/frame_step": frame_step(windows),
            "samples/frechet_melstats": frechet_distance(features(windows), features(real)),
        } | self._image_off(image, real_image)

    def _image_off(
        self, image: Float[np.ndarray, "windows rows frames"], real: Float[np.ndarray, "others rows frames"]
    ) -> dict[str, float]:
        if not self.mel.image_bands:
            return {}
        apart = np.abs(image.mean((0, 2)) - real.mean((0, 2))) / self.std[self.mel.n_mels :, 0]
        return {"samples/image_off": float(apart.mean())}

    def mels(self, windows: Float[np.ndarray, "windows rows frames"]) -> Float[np.ndarray, "windows bands frames"]:
        """Samples are log-mels already; the image is left out."""
        return windows[:, : self.mel.n_mels]

    def sample(self, denoiser: Denoiser, step: int) -> None:
        """A picture of samples over real windows, and the samples as audio, from the averaged weights."""
        from halfstep.training.drawing import write_samples

        windows, real = (
            self.mels(some)[:4] for some in (self.windows(denoiser, self.num_steps), self.log_mel(self.real))
        )
        write_samples(self.folder / "samples", f"step-{step:08d}", windows, real, self.mel.mid)
