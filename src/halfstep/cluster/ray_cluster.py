"""Blocks of work given out to a Ray cluster: two a processor are out at once, so memory stays flat however many come.

A machine that is lost costs the blocks it had, which another machine then does. Files are at the same paths on every
machine, and so is halfstep, of the same version. No function here knows what the work is.
"""

import os
import signal
import socket
from collections.abc import Callable, Generator, Iterable
from itertools import islice
from typing import Any, TypeVar

import halfstep
from halfstep.ending import asked_to_end
from halfstep.errors import InputError, NamedError, unbraced

LOCAL = "local"
"""The address of a cluster of this machine alone, started for the command."""
LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
"""0: Ray's processes speak to each other through the loopback interface alone, whatever the system."""
SECONDS = 10.0
"""How long an address has to answer."""
AHEAD = 2
"""Blocks that are out at once for a processor: more would only wait, in memory."""
LOST = 5
"""Machines that may be lost under one block, one after another."""

Block = TypeVar("Block")
Answer = TypeVar("Answer")


class Cluster:
    """A Ray cluster, joined while entered; needs the extra `cluster`."""

    def __init__(self, address: str) -> None:
        """address: host:port, "auto" for the cluster that this machine is part of, or LOCAL.

        NamedError, where it is entered, if no cluster answers there.
        """
        self._address = address
        self._ray: Any = None

    def __enter__(self) -> "Cluster":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anyone
        if self._address == LOCAL:
            os.environ.setdefault(LOOPBACK, "0")
        import ray  # pyright: ignore[reportMissingImports]  only the extra brings it

        self._check_port()
        here: dict[str, Any] = {"include_dashboard": False} if self._address == LOCAL else {}
        theirs = {number: signal.getsignal(number) for number in asked_to_end()}
        try:
            ray.init(self._address, log_to_driver=False, configure_logging=False, **here)
        except (OSError, RuntimeError, ValueError) as fault:
            said = " ".join(str(fault).split())[:200]
            raise NamedError(
                f"{{ray}} {unbraced(self._address)}: no cluster to be joined ({unbraced(said)})"
            ) from fault
        for number, handler in theirs.items():  # Ray takes some for itself
            signal.signal(number, handler)
        self._ray = ray
        return self

    def __exit__(self, *_: object) -> None:
        self._ray.shutdown()

    def _check_port(self) -> None:
        """Ray itself tries for minutes. NamedError where nothing listens."""
        host, colon, port = self._address.removeprefix("ray://").rpartition(":")
        if not colon:
            return
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS).close()
        except (OSError, ValueError) as fault:
            said = unbraced(str(fault))
            raise NamedError(f"{{ray}} {unbraced(self._address)}: no cluster answers there ({said})") from fault

    @property
    def processors(self) -> int:
        """Of all its machines, now."""
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def answers(
        self, work: Callable[[Block], Answer], blocks: Iterable[Block]
    ) -> Generator[tuple[Block, Answer], None, None]:
        """Each block with what `work`, a function of a module, makes of it, in the order in which they end.

        What it raises is raised here. ConnectionError where LOST machines were lost under one block.
        """
        ray = self._ray
        there = ray.remote(num_cpus=1, max_retries=LOST)(_there)
        waiting, out = iter(blocks), {}
        while True:
            for block in islice(waiting, max(0, AHEAD * self.processors - len(out))):
                out[there.remote(halfstep.__version__, work, block)] = block
            if not out:
                return
            for ended in ray.wait([*out], num_returns=1)[0]:
                block = out.pop(ended)
                yield block, self._answer(ended)

    def _answer(self, ended: Any) -> Any:
        try:
            return self._ray.get(ended)
        except self._ray.exceptions.RayTaskError as fault:
            raise fault.cause from None
        except self._ray.exceptions.RayError as fault:
            kind = type(fault).__name__
            raise ConnectionError(
                f"a block of work was lost with {LOST} machines, one after another ({kind}); "
                "what is done is kept: the same command goes on"
            ) from fault


def _there(version: str, work: Callable[[Block], Answer], block: Block) -> Answer:
    """On a machine of the cluster."""
    if version != halfstep.__version__:
        raise InputError(f"halfstep {halfstep.__version__} on a machine of the cluster, {version} here; install one")
    return work(block)
