"""One Ray cluster for all tests here: two machines, processes of this one; `lose` kills the second, `find` another."""

import importlib.util
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

import halfstep

if importlib.util.find_spec("ray") is None:
    collect_ignore = ["test_many_machines.py"]


SETTINGS = {
    "RAY_AUTH_MODE": "disabled", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0", "OMP_NUM_THREADS": "1",
}  # fmt: skip
"""For everything Ray starts: only this machine, its loopback interface, one arithmetic thread a process."""


class Machines:
    """A head of one processor, and a second machine that can be killed and replaced."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

        here: dict[str, Any] = {
            "num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False,
            "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 2},
        }  # fmt: skip
        self._cluster = Cluster(initialize_head=True, head_node_args=here)
        self._second: Any = None
        self.find()

    @property
    def address(self) -> str:
        return self._cluster.address

    def find(self) -> None:
        """The second machine, if it is not there."""
        if self._second is None:
            here = {"num_cpus": 1, "object_store_memory": 80 << 20}
            self._second = self._cluster.add_node(**here)

    def lose(self) -> None:
        """Kill all of its processes, as when its power fails."""
        if self._second is not None:
            self._cluster.remove_node(self._second, allow_graceful=False)
            self._second = None

    def stop(self) -> None:
        self._cluster.shutdown()


@pytest.fixture(scope="session")
def machines() -> Generator[Machines, None, None]:
    paths = [str(Path(halfstep.__path__[0]).parent), str(Path(__file__).parent), *filter(None, sys.path)]
    os.environ |= SETTINGS | {"PYTHONPATH": os.pathsep.join(paths)}
    made = Machines()
    yield made
    made.stop()
