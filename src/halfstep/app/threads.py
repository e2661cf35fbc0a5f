"""How many threads arithmetic takes."""

import os


def keep_to_one_thread() -> None:
    """Before numpy is loaded: its matrices are small here, and threads that wait for each other on a busy
    machine took six times as long. It also keeps the bytes of a seed the same on any number of cores.
    """
    for library in ("OPENBLAS", "OMP", "MKL", "BLIS"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")
