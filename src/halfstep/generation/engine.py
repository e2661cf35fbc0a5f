"""Engine: a model folder at work. Its networks, loaded once; a request's noise, its vocoder and how loud it plays."""

import functools
from collections.abc import Callable

from halfstep.bundle import DenoiserFile, Manifest, ModelFolder, OnnxDenoiser, OnnxVocoder
from halfstep.conditioning import Course
from halfstep.diffusion.process import DDIM, Sampling
from halfstep.errors import unbraced
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.guiding import Leader, guide_for
from halfstep.generation.level import MEASURED_SECONDS, measured_loudness, stated_loudness
from halfstep.generation.noise import BOUNDARY, Noise, piece_noise, seed_noise
from halfstep.generation.render import unlimited
from halfstep.generation.requests import Piece, Request, RequestError, Timed, check_vocoder, refuse
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import MakeVocoder, Vocoder
from halfstep.vocoders.griffin_lim import GriffinLimStream
from halfstep.vocoders.learned import LearnedVocoder
from halfstep.vocoders.stereo import with_image


class Engine:
    """Nothing but model.json is read before the first music is asked for."""

    def __init__(self, folder: ModelFolder, threads: int = 1) -> None:
        """Threads of the processor the denoiser may use; other numbers may differ in the last bits."""
        self.folder = folder
        self.threads = threads
        self._denoisers: dict[tuple[str, ...], OnnxDenoiser] = {}

    @property
    def manifest(self) -> Manifest:
        return self.folder.manifest

    def sampler(
        self, steps: int | None = None, sampler: str | None = None, respacing: str | None = None
    ) -> WindowSampler:
        """What samples windows in so many steps, the network loaded once. InputError for what it does not serve."""
        steps = self.manifest.default_steps if steps is None else steps
        entry = self.folder.entry(steps)
        if entry.most_steps is None and (sampler not in (None, DDIM) or respacing not in (None, entry.respacing)):
            refuse(
                f"{{sampler}}, {{respacing}}: the network for {steps} steps is distilled, and follows {DDIM} in its "
                f"own steps alone; leave them out, or ask for a number of steps of a network that was never distilled"
            )
        try:
            sampling = self.manifest.sampling(entry).changed(sampler, respacing)
        except ValueError as fault:
            raise RequestError(f"{{sampler}}, {{respacing}}: {unbraced(fault)}") from None
        return self._of(entry, steps, sampling)

    def undistilled(self, entry: DenoiserFile, steps: int) -> WindowSampler:
        """The same of a network that was never distilled, even where another one serves so many steps."""
        assert entry.most_steps is not None and entry.serves(steps), "its own numbers of steps were expected"
        return self._of(entry, steps, self.manifest.sampling(entry))

    def sampler_of(self, request: Request) -> WindowSampler:
        """What the request asks for. InputError as for `sampler`."""
        return self.sampler(request.steps, request.sampler, request.respacing)

    def canvas(self, request: Timed) -> Canvas:
        """The noise of the piece, what is asked for and what it follows; one that drifts is at its goal after the
        request's seconds.
        """
        course, frames = self.course(request), self._frames(request)
        return Canvas(
            init_noise=self.noise(request),
            boundary_noise=seed_noise(self.manifest.mel.rows, request.seed, BOUNDARY),
            asked=(lambda frame: course.at(frame / max(1.0, frames))) if request.asked else None,
            guide=self.guide(request),
        )

    def noise(self, request: Timed) -> Noise:
        """That of the piece alone."""
        rows = self.manifest.mel.rows
        return piece_noise(rows, request.seed, request.toward, request.variation, self._frames(request))

    def _frames(self, request: Timed) -> float:
        return request.samples(self.manifest.mel) / self.manifest.mel.hop_length

    def guide(self, request: Request) -> Leader | None:
        """What is to be followed. InputError as for `guide_for`."""
        return guide_for(request, self.manifest, self.planner)

    @functools.cached_property
    def planner(self) -> "Engine | None":
        """What makes its plans; None of a model that makes none."""
        planner = self.folder.planner
        return None if planner is None else Engine(planner, self.threads)

    def course(self, request: Request) -> Course:
        """What is asked for. InputError for what the model does not know, and for a loop that would drift."""
        course = self.manifest.asks.course(request.asked, self.manifest.id)
        if course.drifts and request.loops:
            refuse("{loop}: ends where it began, so what is asked of it cannot drift; leave `..` out")
        return course

    def vocoder(self, seed: int = 0, choice: str | MakeVocoder | None = None) -> Vocoder:
        """What turns log-mels into sound, for one piece: the model's own, or "griffin-lim", or one made from the seed.
        Of a model with an image they make the mid, and the image is laid over it.

        InputError for another name.
        """
        check_vocoder(choice)
        mel = self.manifest.mel
        if choice is None:
            of_mid = self._vocoder(seed)
        else:
            of_mid = GriffinLimStream(mel.mid, seed=seed) if isinstance(choice, str) else choice(seed)
        return with_image(of_mid, mel)

    @functools.cached_property
    def loudness(self) -> float:
        """How loud its music is on average, integrated LUFS: what model.json says, or else measured, once."""
        stated = stated_loudness(self.manifest)
        if stated is not None:
            return stated
        usual = Piece(seconds=MEASURED_SECONDS)
        sound = unlimited(mel_stream(self.sampler_of(usual), self.canvas(usual)), self.vocoder())
        return measured_loudness(sound, self.manifest.mel)

    def _of(self, entry: DenoiserFile, steps: int, sampling: Sampling) -> WindowSampler:
        if entry.files not in self._denoisers:
            self._denoisers[entry.files] = self.folder.load(entry, self.threads)
        return WindowSampler(self._denoisers[entry.files], self.manifest, steps, self.folder.packing, sampling)

    def _vocoder(self, seed: int) -> Vocoder:
        if self._networks is None:
            return GriffinLimStream(self.manifest.mel.mid, seed=seed)
        return LearnedVocoder(self._networks(), self.manifest.mel.mid, seed)

    @functools.cached_property
    def _networks(self) -> Callable[[], OnnxVocoder] | None:
        return self.folder.vocoder(self.threads)
