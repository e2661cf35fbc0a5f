"""Model folders at an address: fetched once into the cache folder, every file compared with its checksum.

`hf://USER/MODEL` (and `@REVISION`) is the Hugging Face Hub; any other address is one that fsspec reads: https, s3, gs,
zip:: and many more. Both are the extra `hub`.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from halfstep.addresses import HUB, cache_folder
from halfstep.atomic import replacing, replacing_folder
from halfstep.bundle.folder import ModelFolder, open_folder
from halfstep.bundle.manifest import FileEntry
from halfstep.bundle.model_json import FILE_NAME, read_manifest
from halfstep.errors import InputError, NamedError, unbraced

ENDPOINT_VARIABLE = "HF_ENDPOINT"
LONGEST_MANIFEST = 1 << 24
AT_ONCE = 1 << 20


def fetched(address: str) -> ModelFolder:
    """The model folder at `address`, on this machine. InputError for what is none, or not whole."""
    try:
        return _from_hub(address) if address.startswith(HUB) else _from_anywhere(address)
    except (InputError, ModuleNotFoundError):
        raise
    except Exception as fault:  # each library and each file system has errors of its own
        said = " ".join(str(fault).split())[:300] or type(fault).__name__
        raise NamedError(f"{{model}} {unbraced(address)}: cannot be fetched ({unbraced(said)})") from fault


def hub_name(address: str) -> tuple[str, str | None]:
    """hf://USER/MODEL@REVISION -> ("USER/MODEL", "REVISION"), None where none is given. InputError for another form."""
    name, _, revision = address.removeprefix(HUB).rstrip("/").partition("@")
    if name.count("/") != 1 or not all(name.split("/")):
        raise NamedError(f"{{model}} {unbraced(address)}: give {HUB}USER/MODEL, with @REVISION if you like")
    return name, revision or None


def _from_hub(address: str) -> ModelFolder:
    import huggingface_hub as hub

    name, revision = hub_name(address)
    endpoint = os.environ.get(ENDPOINT_VARIABLE)
    with tempfile.TemporaryDirectory() as apart:
        hub.hf_hub_download(name, FILE_NAME, revision=revision, local_dir=apart, endpoint=endpoint)
        said, wanted = (Path(apart) / FILE_NAME).read_bytes(), list(read_manifest(Path(apart)).files)
    place = _place(said)
    if not (place / FILE_NAME).is_file():
        with replacing_folder(place) as folder:
            files = [FILE_NAME, *wanted]
            hub.snapshot_download(name, revision=revision, local_dir=folder, allow_patterns=files, endpoint=endpoint)
            shutil.rmtree(folder / ".cache", ignore_errors=True)  # the library's notes
    return open_folder(place)


def _place(manifest: bytes) -> Path:
    """Where a model is kept: by its model.json, which holds the sha256 of all else."""
    place = cache_folder() / "models" / hashlib.sha256(manifest).hexdigest()[:16]
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _from_anywhere(address: str) -> ModelFolder:
    import fsspec

    system, root = fsspec.core.url_to_fs(address)
    root = root.rstrip("/")
    with system.open(f"{root}/{FILE_NAME}" if root else FILE_NAME, "rb") as file:
        said = file.read(LONGEST_MANIFEST + 1)
    if len(said) > LONGEST_MANIFEST:
        raise InputError(f"{address}/{FILE_NAME}: longer than {LONGEST_MANIFEST} bytes; that is no model folder")
    place = _place(said)
    if not (place / FILE_NAME).is_file():
        with tempfile.TemporaryDirectory() as apart:
            (Path(apart) / FILE_NAME).write_bytes(said)
            entries = read_manifest(Path(apart)).files
        with replacing_folder(place) as folder:
            for name, entry in entries.items():
                _fetch(system, f"{root}/{name}" if root else name, folder / name, entry)
            (folder / FILE_NAME).write_bytes(said)
    return open_folder(place)


def _fetch(system: Any, source: str, target: Path, entry: FileEntry) -> None:
    """One file, of the declared size and sha256; InputError for another."""
    digest, size = hashlib.sha256(), 0
    with system.open(source, "rb") as file, replacing(target) as partial, partial.open("wb") as out:
        while block := file.read(min(AT_ONCE, entry.bytes + 1 - size)):
            size += len(block)
            digest.update(block)
            out.write(block)
            if size > entry.bytes:
                break
        if size != entry.bytes or digest.hexdigest() != entry.sha256:
            raise InputError(f"{source}: not the file that {FILE_NAME} tells of, by its size or sha256; fetch it again")


def publish(folder: ModelFolder, address: str, private: bool, extra_files: Mapping[str, bytes]) -> str:
    """Put the folder and `extra_files` on the Hub in one commit; its address there. InputError where it cannot."""
    import huggingface_hub as hub

    name, revision = hub_name(address)
    try:
        api = hub.HfApi(endpoint=os.environ.get(ENDPOINT_VARIABLE))
        api.create_repo(name, private=private, exist_ok=True)
        files = {file: folder.read(file) for file in folder.manifest.files} | dict(extra_files)
        files[FILE_NAME] = (folder.path / FILE_NAME).read_bytes()
        added = [hub.CommitOperationAdd(path, data) for path, data in sorted(files.items())]
        said = f"{folder.manifest.id}, made with {folder.manifest.made_with}"
        api.create_commit(name, added, commit_message=said, revision=revision)
    except InputError:
        raise
    except Exception as fault:  # as above
        said = " ".join(str(fault).split())[:300] or type(fault).__name__
        raise InputError(f"{address}: cannot be published ({said}); `hf auth login` lets you in") from fault
    return f"{HUB}{name}"
