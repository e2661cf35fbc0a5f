"""The model folder: what passes from the making half to the playing half. Nothing in it executes."""

from halfstep.bundle.folder import ModelFolder, is_model_folder, open_folder, verify
from halfstep.bundle.installed import installed, installed_folders, load_folder, model_places
from halfstep.bundle.manifest import ComponentsFile, DenoiserFile, FileEntry, Manifest, Origin, Stationary, VocoderFiles
from halfstep.bundle.model_json import origin_from, read_manifest, write_manifest
from halfstep.bundle.onnx_denoiser import OnnxDenoiser
from halfstep.bundle.onnx_vocoder import OnnxVocoder

__all__ = [
    "ComponentsFile",
    "DenoiserFile",
    "FileEntry",
    "Manifest",
    "ModelFolder",
    "OnnxDenoiser",
    "OnnxVocoder",
    "Origin",
    "Stationary",
    "VocoderFiles",
    "installed",
    "installed_folders",
    "is_model_folder",
    "load_folder",
    "model_places",
    "open_folder",
    "origin_from",
    "read_manifest",
    "verify",
    "write_manifest",
]
