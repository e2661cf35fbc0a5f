"""One Ray cluster for all tests here: two machines, processes of this one; `lose` kills the second, `find` another."""

import importlib.util
import os
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.audio.mel import MelConfig
from halfstep.bundle import Origin
from halfstep.data.dataset import Library
from halfstep.data.synthetic import write_pieces

NEEDS = {"test_many_machines.py": "ray", "test_object_store.py": "moto"}
collect_ignore = [file for file, package in NEEDS.items() if importlib.util.find_spec(package) is None]
"""`make cluster-test` installs both packages; `make test` neither."""


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


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> tuple[Path, Path]:
    """A data set of short windows, and a model that plays Gaussian noise in its bands."""
    folder = tmp_path_factory.mktemp("evaluated")
    write_pieces(folder / "music", 4, 8.0)
    assert run(["prepare", str(folder / "music"), "--out", str(folder / "data"), "--preset", "tiny"]) == 0
    library = Library(folder / "data")
    bands = [tuple(map(float, values)) for values in (library.band_mean, library.band_std)]
    origin = Origin(title="nothing", licence="CC0-1.0", source="made here", minutes=0.0)
    model = write_model(
        folder / "model", id="gauss", mel=MelConfig(), frames=96, band_mean=bands[0], band_std=bands[1],
        trained_on=(origin,),
    )  # fmt: skip
    return folder / "data", model


@pytest.fixture(scope="session")
def bucket() -> Generator[str, None, None]:
    """The address of an empty bucket of an S3 server on this machine (moto's)."""
    import s3fs  # pyright: ignore[reportMissingImports]
    from moto.server import ThreadedMotoServer  # pyright: ignore[reportMissingImports]

    store = ThreadedMotoServer("127.0.0.1", 0)
    store.start()
    _, port = store.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1",
    }  # fmt: skip
    s3fs.S3FileSystem().mkdir("music")
    yield "s3://music"
    store.stop()
