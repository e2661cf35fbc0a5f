"""What one server takes on, at most: in listeners, pieces, jobs, bytes and seconds."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Each bounds memory, processor time or disk that a stranger could ask for."""

    listeners: int = 100
    """Of streams of all kinds together; the next one is told to wait."""
    pieces: int = 6
    """Played at once beside the models' own streams: each is a generator of its own."""
    burst_seconds: float = 4.0
    """Sent at once to whoever joins, and made ahead of the clock."""
    queue_seconds: float = 15.0
    """Waiting for a slow listener beyond the burst, before it is dropped."""
    idle_seconds: float = 10.0
    """That a piece without listeners is kept, for one who comes back."""
    waiting_jobs: int = 8
    kept_jobs: int = 24
    kept_bytes: int = 512 << 20
    kept_seconds: float = 3600.0
    """How long what a job made can be fetched."""
    job_seconds: float = 600.0
    """Of music, that one job makes."""
    upload_bytes: int = 32 << 20
    upload_seconds: float = 300.0
    """Of sound in an upload; what goes on after that is cut."""
    upload_samples: int = 300 * 48_000 * 2
    """The same of all its channels together: what is decoded is held in memory."""
    decode_seconds: float = 20.0
    """Of processor time, to decode an upload."""
    decode_bytes: int = 2 << 30
    """Of address space, for the same."""
    header_seconds: float = 10.0
    """From connecting to the end of a request's head."""


USUAL = Limits()
RETRY_SECONDS = 5
