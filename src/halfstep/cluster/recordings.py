"""Jobs of `prepare` on a cluster: every block of them has a worker process of its own beside it, as on one machine.

So a decoder that crashes or hangs takes one file with it (`data/supervisor.py`).
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

from halfstep.cluster.ray_cluster import Cluster
from halfstep.data.supervisor import Answer, Job, run_jobs

BLOCK = 16
"""Jobs of a block at most; few enough that every processor gets several blocks."""
BLOCKS_A_PROCESSOR = 4


@dataclass(frozen=True, kw_only=True)
class Done:
    """One job: what became of it, and the seconds of sound that were read."""

    answer: Answer
    seconds: float


def run_jobs_on(
    cluster: Cluster,
    jobs: Sequence[Job],
    workers: int,
    hang_seconds: float,
    beat: Callable[[Job, float], None],
) -> Generator[tuple[Job, Answer], None, None]:
    """As `run_jobs`, on the cluster's processors instead of `workers`; beat(job, seconds) comes once a job ends."""
    size = max(1, min(BLOCK, len(jobs) // (BLOCKS_A_PROCESSOR * cluster.processors)))
    blocks = (list(jobs[at : at + size]) for at in range(0, len(jobs), size))
    for block, done in cluster.answers(partial(done_there, hang_seconds), blocks):
        for job, one in zip(block, done, strict=True):
            beat(job, one.seconds)
            yield job, one.answer


def done_there(hang_seconds: float, jobs: list[Job]) -> list[Done]:
    """On a machine of the cluster: each job's, in their order."""
    seconds = dict.fromkeys(range(len(jobs)), 0.0)
    numbers = {id(job): number for number, job in enumerate(jobs)}

    def beat(job: Job, so_far: float) -> None:
        seconds[numbers[id(job)]] = so_far

    answers = {numbers[id(job)]: answer for job, answer in run_jobs(jobs, 1, hang_seconds, beat)}
    return [Done(answer=answers[number], seconds=seconds[number]) for number in range(len(jobs))]
