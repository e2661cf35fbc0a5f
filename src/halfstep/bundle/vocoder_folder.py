"""A folder with a vocoder alone: what a model gets that is exported for the same bands."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from halfstep.atomic import write_json
from halfstep.audio.mel import MelConfig
from halfstep.audio.mel_fields import mel_from, mel_to_json
from halfstep.bundle.files import checked_path, read_checked, table_from, table_of
from halfstep.bundle.manifest import FileEntry, VocoderFiles
from halfstep.bundle.model_json import vocoder_from
from halfstep.bundle.onnx_vocoder import OnnxVocoder
from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError
from halfstep.fields import AGAIN, Fields, read_json

FORMAT = 1
FILE_NAME = "vocoder.json"


@dataclass(frozen=True, kw_only=True)
class VocoderFolder:
    """Its networks and the bands that they make sound of. files: the size and hash of each file, as the file `card` has
    them.
    """

    path: Path
    mel: MelConfig
    vocoder: VocoderFiles
    files: Mapping[str, FileEntry]
    card: str = FILE_NAME

    def read(self, name: str) -> bytes:
        """The bytes of one of its files. InputError if it is not the one that was written."""
        return read_checked(self.path, name, self.files, self.card)


def is_vocoder_folder(path: Path) -> bool:
    """Whether `path` holds a vocoder.json, whole or not."""
    return (path / FILE_NAME).is_file()


def open_vocoder_folder(path: Path) -> VocoderFolder:
    """Every value checked, and that every file is there in its size. InputError naming what is wrong."""
    fields = Fields(str(path / FILE_NAME), read_json(path / FILE_NAME), AGAIN)
    fields.format_number(FORMAT)
    folder = VocoderFolder(
        path=path, mel=mel_from(fields.inside("mel")), vocoder=vocoder_from(fields.inside("vocoder")),
        files=table_from(fields.inside("files")),
    )  # fmt: skip
    fields.done()
    for name in folder.vocoder.files:
        if name not in folder.files:
            raise fields.fail("files", list(folder.files), f"a table with {name}")
        checked_path(path, name, folder.files, FILE_NAME)
    return folder


def verify_vocoder(path: Path) -> list[str]:
    """All that is wrong with such a folder, a line each: every sha256 compared, and its networks fit together."""
    try:
        folder = open_vocoder_folder(path)
        networks = [
            None if name is None else OnnxNetwork(folder.read(name), str(path / name), 1)
            for name in (folder.vocoder.prior, folder.vocoder.refiner, folder.vocoder.bass)
        ]
        prior, refiner, bass = networks
        assert prior is not None, "a card names it"
        assert refiner is not None, "a card names it"
        OnnxVocoder(prior, refiner, folder.mel, bass)
    except InputError as error:
        return [str(error)]
    return []


def write_vocoder_card(folder: Path, mel: MelConfig, vocoder: VocoderFiles) -> None:
    """Write `folder`/vocoder.json, with the table of all files that are there."""
    table = {name: asdict(entry) for name, entry in table_of(folder, but=FILE_NAME).items()}
    card = {"format": FORMAT, "mel": mel_to_json(mel), "vocoder": asdict(vocoder), "files": table}
    write_json(folder / FILE_NAME, card)
