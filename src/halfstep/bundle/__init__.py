"""The model folder: what passes from the making half to the playing half. Nothing in it executes."""

from halfstep.bundle.folder import ModelFolder, is_model_folder, open_folder, verify
from halfstep.bundle.installed import installed, installed_folders, installed_vocoders, load_folder, model_places
from halfstep.bundle.manifest import (
    ComponentsFile,
    DenoiserFile,
    FileEntry,
    Manifest,
    Origin,
    PlanFile,
    Stationary,
    VocoderFiles,
)
from halfstep.bundle.model_json import origin_from, read_manifest, write_manifest
from halfstep.bundle.onnx_denoiser import OnnxDenoiser
from halfstep.bundle.onnx_vocoder import OnnxVocoder
from halfstep.bundle.vocoder_folder import VocoderFolder, open_vocoder_folder, verify_vocoder, write_vocoder_card

__all__ = [
    "ComponentsFile",
    "DenoiserFile",
    "FileEntry",
    "Manifest",
    "ModelFolder",
    "OnnxDenoiser",
    "OnnxVocoder",
    "Origin",
    "PlanFile",
    "Stationary",
    "VocoderFiles",
    "VocoderFolder",
    "installed",
    "installed_folders",
    "installed_vocoders",
    "is_model_folder",
    "load_folder",
    "model_places",
    "open_folder",
    "open_vocoder_folder",
    "origin_from",
    "read_manifest",
    "verify",
    "verify_vocoder",
    "write_manifest",
    "write_vocoder_card",
]
