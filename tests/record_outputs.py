"""Hold the program to its bytes: make every kind of output, and record their sha256 or compare them with a record.

    python tests/record_outputs.py record FILE
    python tests/record_outputs.py compare FILE

FILE is JSON: the processor's name, the thread count, and a sha256 an output. The bytes follow from the processor, so
`compare` refuses a record of another one. It takes about three minutes on two cores, with one arithmetic thread.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

MUSIC = {
    "plain.wav": ["--seconds", "9", "--seed", "7", "--plot"],
    "one-step.wav": ["--seconds", "5", "--seed", "7", "--steps", "1"],
    "formats.flac": ["--seconds", "3", "--seed", "2"],
    "formats.ogg": ["--seconds", "3", "--seed", "2"],
    "formats.mp3": ["--seconds", "3", "--seed", "2"],
    "loop.wav": ["--loop", "--seconds", "7", "--seed", "3"],
    "bars.wav": ["--loop", "--bars", "2", "--bpm", "90", "--beats", "3", "--seed", "4"],
    "continued.wav": ["--continue", "A", "--seconds", "5", "--seed", "5"],
    "round.wav": ["--continue", "A", "--seconds", "5", "--loop", "--seed", "6"],
    "bridged.wav": ["--continue", "A", "--into", "B", "--seconds", "6", "--seed", "7"],
    "mended.wav": ["--mend", "A", "--from", "2", "--to", "4.5", "--seed", "8"],
    "varied.wav": ["--seconds", "4", "--seed", "7", "--vary", "0.3"],
    "toward.wav": ["--seconds", "9", "--seed", "7", "--toward", "8"],
    "counted.wav": ["--seconds", "2", "--count", "2", "--seed", "9"],
    "griffin-lim.wav": ["--seconds", "4", "--seed", "7", "--vocoder", "griffin-lim"],
    "griffin-lim-loop.wav": ["--loop", "--seconds", "4", "--seed", "7", "--vocoder", "griffin-lim"],
}
"""File name -> options of `halfstep generate`; A and B stand for two recordings."""
MODEL = ["--model", "piano"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--keep", type=Path, help="An empty folder for the outputs, which stay there.")
    chosen = parser.parse_args()
    before = json.loads(chosen.file.read_text(encoding="utf-8")) if chosen.what == "compare" else None
    if before is not None and before["processor"] != _processor():
        sys.exit(f"{chosen.file}: recorded on {before['processor']}, this is {_processor()}: record it here")
    with tempfile.TemporaryDirectory() as temporary:
        digests = dict(sorted(_digests(Path(temporary) if chosen.keep is None else chosen.keep).items()))
    if before is None:
        record = {"processor": _processor(), "threads": 1, "sha256": digests}
        chosen.file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"{chosen.file}: {len(digests)} outputs recorded")
        return
    names = sorted(before["sha256"].keys() | digests.keys())
    changed = [name for name in names if before["sha256"].get(name) != digests.get(name)]
    print("\n".join([*(f"changed: {name}" for name in changed), f"{len(names) - len(changed)} of {len(names)} equal"]))
    sys.exit(bool(changed))


def _digests(work: Path) -> dict[str, str]:
    """Two queues side by side: the playing half's outputs, and the making half's."""
    _pieces(work)
    with ThreadPoolExecutor(2) as pool:
        halves = [pool.submit(half, work) for half in (_played, _made)]
        return halves[0].result() | halves[1].result()


def _pieces(work: Path) -> None:
    """Recordings to continue, and to learn from, all of synthetic music."""
    _run(
        "-c",
        "import sys; from pathlib import Path; from halfstep.data.synthetic import write_pieces\n"
        "write_pieces(Path(sys.argv[1]) / 'recordings', 2, 6.0, seed=100)\n"
        "write_pieces(Path(sys.argv[1]) / 'music', 5, 30.0)",
        str(work),
    )


def _played(work: Path) -> dict[str, str]:
    first, second = sorted((work / "recordings").iterdir())
    stands_for = {"A": str(first), "B": str(second)}
    out = work / "played"
    out.mkdir()
    for name, options in MUSIC.items():
        _halfstep("generate", str(out / name), *(stands_for.get(option, option) for option in options), *MODEL)
    _halfstep("vocode", str(first), str(out / "vocoded.wav"), "--plot", *MODEL)
    _halfstep("vocode", str(first), str(out / "vocoded-griffin-lim.flac"), "--vocoder", "griffin-lim", *MODEL)
    return _hashed(out, "*.*")


def _made(work: Path) -> dict[str, str]:
    """A data set of each kind; a run of each task, its ladder and model; the report on it."""
    mels, waveforms, run, model = (work / name for name in ("mels", "waveforms", "run", "model"))
    _halfstep("prepare", str(work / "music"), "--out", str(mels), "--preset", "tiny", "--workers", "1")
    options = ["--preset", "vocoder-diffusion", "--workers", "1"]
    _halfstep("prepare", str(work / "music"), "--out", str(waveforms), *options)
    _halfstep("train", str(mels), "--out", str(run), "--preset", "tiny", "--steps", "12", *_sets("train.batch_size=4"))
    _halfstep("distill", str(run), "--to", "4", "--updates", "3")
    _halfstep("export", str(run), "--out", str(model), "--with-teacher", "--steps", "8", "--steps", "4")
    _halfstep("export", str(run), "--out", str(work / "int8"), "--weights", "int8", "--steps", "4")
    report = ["--windows", "10", "--seams", "0", "--workers", "1"]
    _halfstep("evaluate", str(model), "--data", str(mels), "--out", str(work / "report"), *report)
    small = _sets("net.widths=[32, 32]", "net.embedding=32", "train.batch_size=2", "train.measure_every=1000",
                  "train.sample_every=1000")  # fmt: skip
    vocoder, small_vocoder = str(work / "vocoder"), ["--preset", "vocoder", "--steps", "2"]
    _halfstep("train", str(waveforms), "--out", vocoder, *small_vocoder)
    _halfstep("export", vocoder, "--into", str(work / "int8"), "--weights", "int4")
    second = work / "second-run"
    _halfstep("train", str(waveforms), "--out", str(second), "--preset", "vocoder-diffusion", "--steps", "2", *small)
    return (
        _hashed(mels, "dataset.json", "tracks/*.npy")
        | _hashed(waveforms, "dataset.json", "tracks/*.npy")
        | _hashed(run, "teacher.safetensors", "ladder/*/student.safetensors")
        | _hashed(second, "teacher.safetensors")
        | _hashed(work / "vocoder", "vocoder.safetensors")
        | _hashed(model, "*.onnx", "*.safetensors", "model.json")
        | _hashed(work / "int8", "*.onnx", "model.json")
        | _hashed(work / "report", "report.json")
    )


def _sets(*settings: str) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _hashed(folder: Path, *patterns: str) -> dict[str, str]:
    """sha256 of the files in `folder` of these patterns, by their names from the folder above."""
    files = sorted({path for pattern in patterns for path in folder.glob(pattern)})
    assert files, f"{folder}: nothing like {', '.join(patterns)}"
    return {path.relative_to(folder.parent).as_posix(): _sha256(path) for path in files}


def _sha256(path: Path) -> str:
    """Of the file; of a model.json, less the seconds that were measured while it was made."""
    if path.name == "model.json":
        kept = json.loads(path.read_text(encoding="utf-8"), object_hook=_untimed)
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _untimed(entry: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in entry.items() if key != "window_seconds"}


def _halfstep(*arguments: str) -> None:
    _run("-m", "halfstep.app.cli", *arguments)


def _run(*arguments: str) -> None:
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    print(f"{time.perf_counter() - began:6.1f} s  {' '.join(arguments[2:5])}", file=sys.stderr)


def _processor() -> str:
    from halfstep.machine import processor

    return processor()


if __name__ == "__main__":
    main()
