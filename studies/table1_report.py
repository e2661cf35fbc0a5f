"""Table 1 as Markdown, beside the paper's, and what each change contributes."""

from collections.abc import Callable
from typing import Any

from halfstep.markdown import markdown_table

PAPER = {
    "soundtrack": {"DDPM + UNET": (10.3, 2.6, 0.013, 0.173, 4.55), "PDD + 1D UNET": (9.5, 2.9, 0.021, 0.101, 2.71)},
    "piano": {"DDPM + UNET": (11.5, 1.9, 0.011, 0.166, 4.17), "PDD + 1D UNET": (9.3, 3.6, 0.016, 0.063, 2.13)},
}
"""PIS, IIS, PKID, IKID, FAD of the paper's Table 1 on its SoTr and PiTr."""
MEASURES = {
    "tuning": ("tuning", ".2f"), "held_share": ("held", ".2f"), "pulse": ("pulse", ".2f"),
    "intervals": ("intervals", ".2f"), "durations": ("durations", ".2f"),
    "pis": ("PIS", ".2f"), "iis": ("IIS", ".2f"), "pkid": ("PKID", ".3f"), "ikid": ("IKID", ".3f"),
    "fad": ("FAD", ".1f"), "fad_infinity": ("FAD-inf", ".1f"), "kad": ("KAD", ".1f"), "coverage": ("coverage", ".2f"),
    "spectral": ("spectral", ".1f"), "melstats": ("Frechet of mels", ".1f"), "frame_step": ("frame step", ".2f"),
    "correlation": ("correlation with the teacher", ".3f"),
}  # fmt: skip
PAPERS = ("pis", "iis", "pkid", "ikid", "fad")
"""Those of the paper's Table 1."""
COSTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "steps": lambda row: f"{row['steps']} {row['sampler']}",
    "parameters (M)": lambda row: f"{row['parameters'] / 1e6:.2f}",
    "updates": lambda row: str(row["updates"]),
    "training (s)": lambda row: f"{row['training_seconds']:.0f}",
    "a window (s)": lambda row: f"{row['window_seconds']:.3f}",
}
CHANGES = {
    "form and sampler: DDPM's eps, ancestral, to the distillable form, DDIM": ("2d-ddpm", "2d-teacher"),
    "U-Net: 2-D to 1-D, equal time": ("2d-teacher", "1d-teacher"),
    "U-Net: 2-D to 1-D, equal updates": ("2d-teacher", "1d-as-many-updates-teacher"),
    "distillation of the 2-D network: full steps to 4": ("2d-teacher", "2d-student"),
    "distillation of the 1-D network: full steps to 4": ("1d-teacher", "1d-student"),
    "distillation at 4 steps, 2-D: undistilled to student": ("2d-few", "2d-student"),
    "distillation at 4 steps, 1-D: undistilled to student": ("1d-few", "1d-student"),
    "the paper's whole change: DDPM 2-D to 1-D student": ("2d-ddpm", "1d-student"),
}
"""What one difference between two rows contributes: the ablation the paper left out."""


def _value(figures: dict[str, dict[str, Any]], key: str) -> str:
    """A figure with its interval, `-` where it was not measured."""
    if key not in figures:
        return "-"
    figure, form = figures[key], MEASURES[key][1]
    if figure["value"] is None:
        return "-"
    if figure.get("low") is None:
        return format(figure["value"], form)
    return f"{figure['value']:{form}} [{figure['low']:{form}}, {figure['high']:{form}}]"


def _measured(rows: dict[str, dict[str, Any]]) -> list[str]:
    """The measures that some row has."""
    return [key for key in MEASURES if any(key in row["figures"] for row in rows.values())]


def quality_table(rows: dict[str, dict[str, Any]]) -> str:
    """Every row with every measure that was taken."""
    measured = _measured(rows)
    cells = [
        [row["title"], str(row.get("steps", "-")), *(_value(row["figures"], key) for key in measured)]
        for row in rows.values()
    ]
    return markdown_table(["windows", "steps", *(MEASURES[key][0] for key in measured)], cells)


def cost_table(rows: dict[str, dict[str, Any]]) -> str:
    """Every generated row with what it cost."""
    cells = [[row["title"], *(cost(row) for cost in COSTS.values())] for row in rows.values() if "steps" in row]
    return markdown_table(["windows", *COSTS], cells)


def changes_table(rows: dict[str, dict[str, Any]]) -> str:
    """From one row to another that differs in one thing: each measure before -> after."""
    measured, cells = _measured(rows), []
    for change, (before, after) in CHANGES.items():
        if before in rows and after in rows:
            pair = [rows[name]["figures"] for name in (before, after)]
            changes = [
                " -> ".join(
                    _value({key: {"value": figures[key]["value"]}}, key) if key in figures else "-" for figures in pair
                )
                for key in measured
            ]
            cells.append([change, *changes])
    return markdown_table(["what changes", *(MEASURES[key][0] for key in measured)], cells)


def paper_table() -> str:
    """The paper's Table 1."""
    forms = [form for _, form in [MEASURES[key] for key in PAPERS[:4]]] + [".2f"]
    cells = [
        [model, name, *(format(value, form) for value, form in zip(values, forms, strict=True))]
        for name, models in PAPER.items()
        for model, values in models.items()
    ]
    return markdown_table(["the paper's model", "set", "PIS", "IIS", "PKID", "IKID", "FAD"], cells)


def report(results: dict[str, Any]) -> str:
    """The whole of it as Markdown."""
    parts = ["## The paper\n\n" + paper_table()]
    for name, one in results["sets"].items():
        tables = (quality_table(one["rows"]), cost_table(one["rows"]), changes_table(one["rows"]))
        minutes = one["minutes"]
        parts.append(
            f"## {name}: {minutes['train']:.0f} minutes to learn from, {minutes['heldout']:.1f} held out\n\n"
            + "\n".join(tables)
        )
    return "\n".join(parts)
