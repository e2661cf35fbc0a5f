"""What listeners cost a server, and what they leave behind: `python benchmarks/listeners.py [SECONDS] [LISTENERS]`.

100 listeners for SECONDS (300), as many who do not read, 1000 who come and go. Memory, open files and threads of the
server are read from /proc, so that it runs on Linux alone. Beside them stands what else the machine does: how many
processes want a core, on average.
"""

import os
import selectors
import socket
import subprocess
import sys
import time
from pathlib import Path

SILENT_SECONDS, VISITS = 60, 1000
REQUEST = b"GET /stream/piano.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 300.0
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    command = [sys.executable, "-m", "halfstep", "serve", "--model", "piano", "--port", "0"]
    with subprocess.Popen(  # noqa: S603, ourselves
        command, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().split("http://127.0.0.1:")[1].split("/")[0])
        try:
            first_sound(port)
            first_sound(port)
            facts(server.pid, "after the first listener")
            listening(port, server.pid, seconds, count)
            silent(port, server.pid, count)
            visits(port, server.pid)
        finally:
            server.terminate()


def joined(port: int) -> socket.socket:
    """A listener whose request is sent."""
    listener = socket.create_connection(("127.0.0.1", port))
    listener.sendall(REQUEST)
    return listener


def first_sound(port: int) -> None:
    began = time.perf_counter()
    with joined(port) as listener:
        have = 0
        while have < 1500:
            have += len(listener.recv(1500))
    took = time.perf_counter() - began
    time.sleep(2)  # until it is noticed that this one left
    print(f"first 1.5 kB {took:.2f} s after the request", flush=True)


def listening(port: int, pid: int, seconds: float, count: int) -> None:
    """All read as fast as it comes; memory ten times on the way, and what each of them was sent."""
    chosen, received = selectors.DefaultSelector(), dict.fromkeys(range(count), 0)
    listeners = [joined(port) for _ in range(count)]
    for number, listener in enumerate(listeners):
        listener.setblocking(False)
        chosen.register(listener, selectors.EVENT_READ, number)
    began, looked = time.monotonic(), 0
    while (now := time.monotonic() - began) < seconds:
        for key, _ in chosen.select(0.2):
            data = key.fileobj.recv(1 << 16)  # pyright: ignore[reportAttributeAccessIssue]  a socket
            assert data, f"listener {key.data} was sent away"
            received[key.data] += len(data)
        if now > looked * seconds / 10:
            looked += 1
            facts(pid, f"{count} listeners, {now:.0f} s")
    print(f"each was sent {min(received.values()) / 20e3:.0f} to {max(received.values()) / 20e3:.0f} s of sound")
    for listener in listeners:
        listener.close()


def silent(port: int, pid: int, count: int) -> None:
    listeners = [joined(port) for _ in range(count)]
    time.sleep(SILENT_SECONDS)
    facts(pid, f"{count} who do not read, {SILENT_SECONDS} s")
    for listener in listeners:
        listener.close()


def visits(port: int, pid: int) -> None:
    for number in range(VISITS):
        with joined(port) as listener:
            if number % 2:
                listener.recv(100)
    time.sleep(12)  # a piece without listeners is kept for ten seconds
    facts(pid, f"after {VISITS} connects and disconnects")


def facts(pid: int, when: str) -> None:
    """A line of the server's memory, open files and threads."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    processor = sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / 100
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    memory = int(status["VmRSS"].split()[0]) / 1e3
    print(
        f"{when}: {memory:.0f} MB, {files} files, {status['Threads'].strip()} threads, {processor:.1f} s of processor; "
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
        flush=True,
    )


if __name__ == "__main__":
    main()
