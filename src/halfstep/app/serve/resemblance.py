"""Which styles of a model an upload sounds like, for whoever wants more of that."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from halfstep.app.options import mixture_text
from halfstep.app.serve.decoding import check_upload, decoded_upload
from halfstep.app.serve.limits import RETRY_SECONDS, Limits
from halfstep.app.serve.parameters import Field, model_field, read_fields
from halfstep.app.serve.refusals import BAD_REQUEST, TOO_MANY, Refusal
from halfstep.app.serve.tunes import find
from halfstep.bundle import Manifest
from halfstep.conditioning import LabelCondition
from halfstep.errors import NamedError
from halfstep.generation.liking import known_by_sound
from halfstep.generation.model import Model

STYLE = "style"


def all_known_by_sound(manifest: Manifest) -> list[str]:
    """The conditions of a model whose labels it can tell apart in a recording."""
    return [one.name for one in manifest.conditions if isinstance(one, LabelCondition) and one.likeness is not None]


class Resemblance:
    """Answers at once, one upload at a time: a listener waits for it, and it is soon done."""

    def __init__(self, models: Mapping[str, Model], limits: Limits) -> None:
        self._models, self._limits = models, limits
        self._busy = threading.Lock()
        self.fields = (
            model_field(models),
            Field(name="condition", kind="string", about="Whose labels; style if not given."),
        )

    def of(self, given: Sequence[tuple[str, str]], upload: bytes) -> dict[str, Any]:
        """The mixture, and as text that can be asked for. Refusal for what makes no sense, and while another is at
        work; InputError for what is no sound.
        """
        values = read_fields(self.fields, given)
        model = find(self._models, str(values.get("model", next(iter(self._models)))))
        name = str(values.get("condition", STYLE))
        check_upload(upload)
        if not self._busy.acquire(blocking=False):
            raise Refusal(TOO_MANY, "another recording is being listened to; try again soon", RETRY_SECONDS)
        try:
            known_by_sound(model.manifest, name)  # refused before anything is decoded
            shares = model.like(decoded_upload(upload, self._limits), name)
        except NamedError as error:
            raise Refusal(BAD_REQUEST, error.named({})) from error
        finally:
            self._busy.release()
        return {"condition": name, "shares": shares, "asked": mixture_text(shares)}
