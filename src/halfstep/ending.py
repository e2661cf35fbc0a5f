"""The signals by which a process is asked to end, so that its `finally` blocks clear up."""

import signal
import sys


def asked_to_end() -> list[signal.Signals]:
    """SIGTERM, and SIGHUP of a terminal that closes, where there is one and `nohup` has not had it ignored."""
    if sys.platform == "win32" or signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return [signal.SIGTERM]
    return [signal.SIGTERM, signal.SIGHUP]
