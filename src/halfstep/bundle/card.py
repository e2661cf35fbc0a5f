"""The card of a model on a hub: what it plays, how well, from whose recordings, under which licences; to be heard."""

from collections.abc import Sequence
from typing import Any

from halfstep.bundle.manifest import Manifest, Origin
from halfstep.markdown import markdown_table

SPDX = {
    "mit", "apache-2.0", "cc0-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0",
}  # fmt: skip
"""What a hub knows by name; every other is `other`, with its own name beside."""
FIGURES = {
    "steps": "steps", "tuning": "in tune", "held_share": "held", "pulse": "pulse", "fad_inf": "FAD, infinite",
    "kad": "KAD", "coverage": "coverage",
}  # fmt: skip


def model_card(manifest: Manifest, name: str, examples: Sequence[str] = ()) -> str:
    """Markdown with the hub's front matter. examples: sounds beside it, by their paths there."""
    parts = [
        _front(manifest), f"# {manifest.id}\n\n{manifest.description}.\n", _players(examples), _use(name),
        _figures(manifest), _licences(manifest), _origins("What it learned from", manifest.trained_on),
    ]  # fmt: skip
    if manifest.vocoder is not None:
        parts.append(_origins("What its vocoder learned from", manifest.vocoder.trained_on))
    return "\n".join(part for part in parts if part)


def _front(manifest: Manifest) -> str:
    known = manifest.licence.lower() in SPDX
    lines = (
        [f"license: {manifest.licence.lower()}"] if known else ["license: other", f"license_name: {_plain(manifest)}"]
    )
    tags = "\n".join(f"- {tag}" for tag in ("music", "audio", "diffusion", "progressive-distillation", "onnx"))
    return "\n".join(["---", *lines, "library_name: halfstep", "tags:", tags, "---", ""])


def _plain(manifest: Manifest) -> str:
    return "".join(c if c.isalnum() or c in ".-" else "-" for c in manifest.licence.lower())[:60] or "not-stated"


def _players(examples: Sequence[str]) -> str:
    return "\n".join(f'<audio controls src="{path}"></audio>\n' for path in examples)


def _use(name: str) -> str:
    return (
        f"```python\nimport halfstep  # pip install 'halfstep[hub]'\n\n"
        f'model = halfstep.load("hf://{name}")\nmodel.generate(seconds=60, seed=7).save("music.wav")\n```\n'
    )


def _figures(manifest: Manifest) -> str:
    rows: list[dict[str, Any]] = [
        row for row in manifest.measured.get("ladder", ()) if row.get("steps") in manifest.steps
    ]
    named = {key: title for key, title in FIGURES.items() if any(key in row for row in rows)}
    if len(named) < 2:
        return ""
    cells = [[f"{row[key]:.4g}" if key in row else "-" for key in named] for row in rows]
    about = manifest.measured.get("evaluated")
    return "## Measured\n\n" + markdown_table(list(named.values()), cells) + (f"\n{about}\n" if about else "")


def _licences(manifest: Manifest) -> str:
    lines = [f"- The model: {manifest.licence}", f"- The music it makes: {manifest.output_licence}"]
    if manifest.vocoder is not None:
        lines.append(f"- Its vocoder: {manifest.vocoder.licence}")
    return "## Licences\n\n" + "\n".join(lines) + "\n"


def _origins(title: str, origins: Sequence[Origin]) -> str:
    rows = [[one.title, one.licence, one.source, f"{one.minutes:.1f}"] for one in origins]
    return f"## {title}\n\n" + markdown_table(["recording", "licence", "source", "minutes"], rows)
