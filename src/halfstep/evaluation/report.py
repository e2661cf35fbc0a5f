"""The report in words: Markdown for a repository, one HTML page for ears and eyes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from halfstep.audio.mel import MelConfig
from halfstep.evaluation import page
from halfstep.evaluation.figures import MEASURES, STEREO_MEASURES, cell, table
from halfstep.evaluation.hearing import JudgedRow, Row
from halfstep.evaluation.pictures import ladder_plot, player_address, png_address, spectrogram
from halfstep.markdown import markdown_table

PLOTTED = ("tuning", "held_share", "fad_infinity", "ikid")
HOW_TO_READ = (
    "The first columns are of the music itself: real music through mel and vocoder has the values to aim at. A "
    "distance can be small where there is no note in tune; these say so. Intervals and durations are compared with the "
    "reference half, whose other half is the floor.",
    "A distance says how far a row is from the reference half of the real music. The other half is the floor that "
    "chance leaves, real music through mel and vocoder the ceiling of any model that ends in this vocoder, noise the "
    "bottom.",
    "Beside each value is its 95 % interval from resampling windows; rows whose intervals overlap are not told apart.",
    "PIS and IIS have no reference: real music sets the value to aim at, and more is not better music.",
    "The judges of pitch and instrument learned single notes from soundfonts; of whole music their answers are a "
    "description, not a transcription. They and the embedding hear 0 to 8 kHz.",
)
LISTEN = (
    "Three excerpts a row; the same three of the other half, plain and through the vocoder, and the same noise for "
    "every number of steps. Real excerpts belong to those who made the recordings."
)
PAIRS = (
    "Window k of every student against window k of the teacher, from the same noise: 1 is the same music, as in the "
    "ladder's own table."
)
MEMORY = (
    "The nearest training window by log-mel over time shifts, beside the same for held-out music. A ratio of medians "
    "near 1 and a share below the 1st percentile of held-out distances near .01 mean that nothing is played back."
)
BEHIND = (
    "Of tuning, where A lies; of intervals and durations, how many there are. The median of each kernel between the "
    "row and the reference: near 0 or 1 it sees nothing, and its width does not fit. R^2 is of the line over 1 / n "
    "that FAD-inf is read from."
)
CEILING = "Real windows through mel and vocoder against themselves, at the same level: 0 would be the original."
BOUND = (
    "The variational bound on the density of held-out windows over all steps of the chain, x standardised: less is "
    "better, and below 0 is possible. Bins of width h take -log2 h bits more."
)
ASKED = (
    "Pieces of 12 s from the same seeds with all of it asked and with nothing asked. They are judged on their sound, "
    "where training knows bands; of a label, the share of pieces that have it. What no judge knows is asked all the "
    "same."
)
SEAMS = (
    "Whether the joins of windows can be told: |z| below 2 over at least 200 joins passes, if hard cuts at the same "
    "places give more than 4. Drifts are slopes over the whole stream."
)


def markdown(report: Mapping[str, Any], speed: Mapping[str, Any]) -> str:
    """The tables, and what to know of them."""
    parts = [f"# {title(report)}\n", lead(report) + "\n", text_tables(report)]
    parts += [f"- {note}" for note in (*report["notes"], *HOW_TO_READ)]
    parts.append(f"- {bias_line(report)}")
    tables = (
        _notes_table(report), _pairs_table(report), _speed_table(speed), _ceiling_table(report), _memory_table(report),
        _continuity_table(report), _bound_table(report), _asked_table(report),
    )  # fmt: skip
    for head, rows in tables:
        if rows:
            parts.append("\n" + markdown_table(head, rows).removesuffix("\n"))
    return "\n".join(parts) + "\n"


def text_tables(report: Mapping[str, Any]) -> str:
    """The streams, if there are any, and the windows, as Markdown."""
    if not report["streams"]:
        return table(report["rows"])
    return f"{_streams_of(report)}\n\n{table(report['streams'])}\nWindows\n\n{table(report['rows'])}"


def _streams_of(report: Mapping[str, Any]) -> str:
    return f"Streams of {report['settings']['stream_seconds']:g} s"


def title(report: Mapping[str, Any]) -> str:
    return f"{report['subject']['id']}, heard and measured"


def lead(report: Mapping[str, Any]) -> str:
    data, rows = report["data"], report["rows"]
    return (
        f"{rows[0]['windows']} windows a row, against as many real ones; {data['tracks']} recordings, "
        f"{data['train_minutes']:.0f} minutes to learn from and {data['heldout_minutes']:.0f} held out. "
        f"Embedding: {report['settings']['embedding']}. halfstep {report['settings']['halfstep']}."
        f"{_asked_line(report)}"
    )


def _asked_line(report: Mapping[str, Any]) -> str:
    asked = ", ".join(f"{row['control'].replace('_', ' ')} {row['asked']}" for row in report.get("asked", []))
    return f" Asked of the model: {asked}." if asked else ""


def minute_wide(mel: MelConfig) -> MelConfig:
    """Frames a whole window apart, so that the picture of a minute fits on the page."""
    return replace(mel, hop_length=mel.window)


def web_page(
    report: Mapping[str, Any],
    speed: Mapping[str, Any],
    windows: tuple[Sequence[Row], Mapping[str, JudgedRow]],
    streams: tuple[Sequence[Row], Mapping[str, JudgedRow]],
    mel: MelConfig,
) -> str:
    """The page: players first."""
    sections = [page.section("Listen", page.paragraph(LISTEN), *_all_clips(report["rows"], *windows, mel))]
    if report["streams"]:
        clips = _all_clips(report["streams"], *streams, minute_wide(mel))
        sections.append(page.section(_streams_of(report), page.figures_table(report["streams"]), *clips))
    sections.append(page.section("Measured", page.figures_table(report["rows"])))
    sections += [page.listed([*report["notes"], *HOW_TO_READ, bias_line(report)])]
    if any(row["steps"] for row in report["rows"]):
        factors = {name: row["real_time_factor"] for name, row in speed["rows"].items()}
        plots = [_ladder(report, factors, name) for name in PLOTTED if _everywhere(report, name)]
        sections.append(page.section("Quality against steps and speed", *plots))
    for name, (head, its), about in (
        ("Asked and obtained", _asked_table(report), ASKED),
        ("Behind the figures", _notes_table(report), BEHIND),
        ("Against the teacher", _pairs_table(report), PAIRS),
        ("Speed", _speed_table(speed), "Processor seconds for a second of music, one thread."),
        ("The vocoder's ceiling", _ceiling_table(report), CEILING),
        ("Memory", _memory_table(report), MEMORY),
        ("Endless music", _continuity_table(report), SEAMS),
        ("DDPM's bound", _bound_table(report), BOUND),
    ):
        if its:
            sections.append(page.section(name, page.paragraph(about), page.plain_table(head, its)))
    measured = MEASURES | {name: one for name, one in STEREO_MEASURES.items() if name in report["rows"][0]["figures"]}
    sections.append(page.section("Measures", page.listed([f"{n}: {what}." for n, _, what in measured.values()])))
    return page.page(title(report), lead(report), sections)


def _ladder(report: Mapping[str, Any], factors: dict[str, float], measure: str) -> str:
    short, _, meaning = MEASURES[measure]
    address = png_address(ladder_plot(report["rows"], factors, measure, short))
    caption = f"{short}: {meaning}. Numbers at the points are sampling steps."
    return page.picture(address, f"{short} by steps and speed", caption)


def _everywhere(report: Mapping[str, Any], measure: str) -> bool:
    """Whether every row has a value: what is silent has no tuning."""
    return all(row["figures"][measure]["value"] is not None for row in report["rows"])


def _all_clips(
    lines: Sequence[Mapping[str, Any]], rows: Sequence[Row], judged: Mapping[str, JudgedRow], mel: MelConfig
) -> list[str]:
    names = {one["name"] for one in lines}
    return [_clips(row, judged[row.name], mel) for row in rows if row.name in names]


def _clips(row: Row, its: JudgedRow, mel: MelConfig) -> str:
    addresses = [(png_address(spectrogram(clip, mel)), player_address(clip, mel.sample_rate)) for clip in its.clips]
    return page.clips_row(row.name, row.about, bool(row.steps), addresses)


def _notes_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    rows = report["rows"]
    noted = [name for name in MEASURES if any(row["figures"][name]["note"] for row in rows)]
    head = ["music", *(MEASURES[name][0] for name in noted)]
    return head, [[row["name"], *(row["figures"][name]["note"] or "-" for name in noted)] for row in rows]


def _speed_table(speed: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["music", "network", "vocoder", "real-time factor"]
    rows = speed["rows"].items()
    return head, [[n, *(f"{row[key]:.4f}" for key in ("network", "vocoder", "real_time_factor"))] for n, row in rows]


def _ceiling_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    names = {
        "mr_stft": "MR-STFT distance",
        "log_spectral_db": "log-spectral (dB)",
        "mel_l1": "mel L1 (nepers)",
    }
    its = report["ceiling"]
    row = [str(its["mel_l1"]["windows"]), *(cell(its[name]) for name in names)] if its else []
    return ["windows", *names.values()], [row] if its else []


def bias_line(report: Mapping[str, Any]) -> str:
    """What FAD-inf says where there is no difference."""
    bias = report["bias"]["fad_infinity"]
    return (
        f"FAD-inf of real music against other real music, cut at random so that 0 is the truth, is {cell(bias)} at "
        f"{bias['windows']} windows: a value within that range is no difference, and below about 10 windows a feature "
        "the values are to be compared with each other, not with those of other reports."
    )


def _pairs_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["music", "windows", "correlation with the teacher", "RMS (nepers)"]
    return head, [
        [its["name"], str(its["windows"]), f"{its['correlation']:.3f}", f"{its['rms_nepers']:.3f}"]
        for its in report["pairs"]
    ]


def _memory_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["music", "windows", "ratio of medians", "share below the 1st percentile", "held-out windows"]
    return head, [
        [name, str(m["windows"]), f"{m['ratio']:.2f}", f"{m['flagged']:.3f}", str(m["heldout_windows"])]
        for name, m in report["memory"].items()
    ]


def _bound_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["model", "bits per dimension", "standard error", "held-out windows", "steps", "reverse variance"]
    return head, [
        [name, f"{its['bits_per_dimension']:.3f}", _number(its["standard_error"]), str(its["windows"]),
         str(its["steps"]), its["variance"]]
        for name, its in report.get("bound", {}).items()
    ]  # fmt: skip


def _continuity_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = [
        "steps",
        "joins",
        "z",
        "hard cuts z",
        "passes",
        "dB a minute",
        "cents a minute",
        "repeated",
        "longest silence (s)",
    ]
    rows: list[list[str]] = []
    for steps, facts in report["continuity"].items():
        its = facts["life"]
        drift = [_number(its[key]) for key in ("loudness_slope_db", "centroid_slope_cents")]
        rest = [_number(its["repeated_share"]), _number(its["longest_silence_seconds"])]
        verdict = "yes" if facts["passes"] else "no"
        rows.append(
            [steps, str(facts["seams"]), f"{facts['z']:.1f}", f"{facts['hard_cuts_z']:.1f}", verdict, *drift, *rest]
        )
    return head, rows


def _asked_table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    head = ["control", "asked", "obtained", "nothing asked", "unit", "pieces"]
    return head, [
        [row["control"], row["asked"], _number(row["obtained"]), _number(row["nothing_asked"]), row["unit"],
         str(row["pieces"])]
        for row in report.get("asked", [])
    ]  # fmt: skip


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
