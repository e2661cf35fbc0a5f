"""A model folder: the only door between the making half and the playing half."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halfstep.bundle.files import changed_since, checked_path, read_checked, sha256_of
from halfstep.bundle.low_rank import changed_network, read_change
from halfstep.bundle.manifest import DenoiserFile, Manifest
from halfstep.bundle.model_json import FILE_NAME, read_manifest
from halfstep.bundle.onnx_denoiser import OnnxDenoiser
from halfstep.bundle.onnx_vocoder import OnnxVocoder
from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError, NamedError
from halfstep.fields import AGAIN
from halfstep.packing import Packing, components_packing, read_components


@dataclass(frozen=True, kw_only=True)
class ModelFolder:
    """A folder whose model.json has been read and checked; its other files are checked when they are read."""

    path: Path
    manifest: Manifest

    def denoiser(self, steps: int, threads: int = 1) -> OnnxDenoiser:
        """The network for `steps` steps. InputError if not served, or if its file is not whole."""
        return self.load(self.entry(steps), threads)

    def load(self, entry: DenoiserFile, threads: int = 1) -> OnnxDenoiser:
        """A network of the manifest. InputError if a file of its is not whole."""
        where = str(self.path / entry.files[-1])
        return OnnxDenoiser(self.network(entry), where, self.manifest, threads, entry.learned_variance)

    def network(self, entry: DenoiserFile) -> bytes:
        """Its ONNX file, whether it lies there or comes from another by a change. InputError if that is not whole."""
        network = self.read(entry.file)
        if entry.change is None:
            return network
        where = str(self.path / entry.change)
        return changed_network(network, read_change(self.read(entry.change), where), where)

    def entry(self, steps: int) -> DenoiserFile:
        """What the manifest says of the network for `steps` steps. InputError if there is none."""
        entry = self.manifest.denoiser(steps)
        if entry is None:
            served = self.manifest.serving
            raise NamedError(f"{{steps}} {steps}: model {self.manifest.id} serves {served}; choose one of these")
        return entry

    @functools.cached_property
    def packing(self) -> Packing:
        """How its windows are packed. InputError if the components it names are not whole, or do not fit."""
        declared = self.manifest.components
        if declared is None:
            return self.manifest.packed
        where = str(self.path / declared.file)
        components = read_components(self.read(declared.file), where)
        wanted = (declared.count, declared.patch_frames * self.manifest.mel.rows)
        if components.matrix.shape != wanted:
            raise InputError(f"{where}: is {components.matrix.shape}, model.json says {wanted}; {AGAIN}")
        return components_packing(components, self.manifest.mel.rows)

    @functools.cached_property
    def planner(self) -> "ModelFolder | None":
        """The model of its plan (`Manifest.planner`); None where there is none."""
        planner = self.manifest.planner
        return None if planner is None else replace(self, manifest=planner)

    def vocoder(self, threads: int = 1) -> Callable[[], OnnxVocoder] | None:
        """What makes the learned vocoder's networks for one piece after another, loaded once; None if it has none.

        InputError if a file is not whole, or they do not fit.
        """
        files = self.manifest.vocoder
        if files is None:
            return None

        def network(name: str) -> OnnxNetwork:
            return OnnxNetwork(self.read(name), str(self.path / name), threads)

        bass = None if files.bass is None else network(files.bass)
        make = functools.partial(OnnxVocoder, network(files.prior), network(files.refiner), self.manifest.mel.mid, bass)
        make()
        return make

    def read(self, name: str) -> bytes:
        """The bytes of a file of the manifest's table: the very ones whose sha256 was compared."""
        return read_checked(self.path, name, self.manifest.files, FILE_NAME)

    def file_problem(self, name: str) -> str | None:
        """What is wrong with a file of the table; read in blocks, so that it may be of any size."""
        try:
            path = self.checked(name)
        except InputError as error:
            return str(error)
        return None if sha256_of(path) == self.manifest.files[name].sha256 else f"{path}: {changed_since(FILE_NAME)}"

    def checked(self, name: str) -> Path:
        """The file's path, once it is a regular file of the declared size that lies in the folder itself."""
        return checked_path(self.path, name, self.manifest.files, FILE_NAME)


def open_folder(path: Path) -> ModelFolder:
    """Read and check model.json, and that every file is there in its declared size.

    Raises InputError naming what is wrong. A file's sha256 is compared when it is read.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; `halfstep models` lists what is installed")
    folder = ModelFolder(path=path, manifest=read_manifest(path))
    for name in folder.manifest.files:
        folder.checked(name)
    return folder


def verify(path: Path) -> list[str]:
    """All that is wrong with a model folder, a line each: every sha256 compared, every network run once."""
    try:
        folder = ModelFolder(path=path, manifest=read_manifest(path))
    except InputError as error:
        return [str(error)]
    problems = [problem for name in folder.manifest.files if (problem := folder.file_problem(name))]
    of_all = [one for one in (folder, folder.planner) if one is not None]
    trials = [functools.partial(_trial, one, steps) for one in of_all for steps in one.manifest.steps]
    return problems or [
        problem for trial in (*trials, functools.partial(_vocoder_trial, folder)) if (problem := trial())
    ]


def is_model_folder(path: Path) -> bool:
    """Whether `path` holds a model.json, whole or not."""
    return (path / FILE_NAME).is_file()


def _trial(folder: ModelFolder, steps: int) -> str | None:
    """One call on noise: does the network load, and answer with numbers?"""
    manifest = folder.manifest
    noise = np.random.default_rng(0).standard_normal((1, manifest.channels, manifest.length), np.float32)
    known = np.zeros((1, manifest.aligned_channels, manifest.length), np.float32)
    try:
        _ = folder.packing
        folder.denoiser(steps)(noise, *manifest.process.at(1.0), known)
    except InputError as error:
        return str(error)
    return None


def _vocoder_trial(folder: ModelFolder) -> str | None:
    """The same for the prior and the bass, and for the interface of all networks."""
    log_mel = np.zeros((8, folder.manifest.mel.n_mels), np.float32)
    try:
        if make := folder.vocoder():
            networks = make()
            networks.prior(log_mel)
            networks.bass(log_mel)
    except InputError as error:
        return str(error)
    return None
