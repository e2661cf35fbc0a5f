"""Chromium, driven over its DevTools protocol: as little as the page's tests need."""

import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

BINARY = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "--mute-audio",
)  # fmt: skip
SOFTWARE_WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
"""A graphics card of software: right, and a thousand times slower than one."""
AXE = Path(os.environ.get("HALFSTEP_AXE", "/nowhere"))
"""axe-core's axe.min.js, which npm brings (MPL 2.0); no part of this repository."""
MINUTE = float(os.environ.get("HALFSTEP_FLOW_SECONDS", 0))
"""For how long sound is watched; 0 where nobody says: a few seconds, and of the package's model not at all."""
FEW_SECONDS, MOST_SILENT_SECONDS, SILENT = 3.0, 0.1, 1e-5
FLOW = """
(async (seconds, silent) => {
  const { player } = halfstep, { context } = player, rate = context.sampleRate;
  const meter = new AnalyserNode(context, { fftSize: 32768 }), room = new Float32Array(32768);
  player.output.connect(meter);
  const began = context.currentTime, before = player.state.gaps;
  let seen = began, run = 0, longest = 0, sum = 0, count = 0, missed = 0;
  while (seen - began < seconds) {
    await new Promise((done) => setTimeout(done, 30));
    meter.getFloatTimeDomainData(room);
    const now = context.currentTime, fresh = Math.round((now - seen) * rate);
    missed += Math.max(0, fresh - room.length);
    for (const one of room.subarray(Math.max(0, room.length - fresh))) {
      run = Math.abs(one) < silent ? run + 1 : 0;
      longest = Math.max(longest, run);
      sum += one * one;
    }
    count += fresh;
    seen = now;
  }
  player.output.disconnect(meter);
  return JSON.stringify({ seconds: count / rate, longest: longest / rate, power: sum / count, missed,
    gaps: player.state.gaps - before, speed: document.documentElement.dataset.speed });
})"""
"""Every sample behind the page's volume, in its own audio graph: the longest silence, and whether all were seen."""


class Tab:
    """One page of a browser."""

    def __init__(self, socket: Any, session: str) -> None:
        self._socket, self._session, self._ids = socket, session, itertools.count(10)
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._ids)
        message = {"id": number, "method": method, "params": parameters, "sessionId": self._session}
        self._socket.send(json.dumps(message))
        while (answer := json.loads(self._socket.recv(900))).get("id") != number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str, seconds: float = 30.0) -> None:
        ends = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < ends, f"never true: {script}"
            time.sleep(0.05)

    def go(self, address: str) -> None:
        self.send("Page.navigate", url=address)
        self.until("document.documentElement?.dataset.ready === 'yes'")

    def click(self, id: str) -> None:
        """A real one, where the element is."""
        self.run(f"document.getElementById('{id}').scrollIntoView({{block: 'center'}})")
        script = f"JSON.stringify(document.getElementById('{id}').getBoundingClientRect())"
        box = json.loads(self.run(script))
        place = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def key(self, key: str, code: int = 0) -> None:
        """code: Windows' number of a key that is no letter."""
        text: dict[str, Any] = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        if code:
            text["windowsVirtualKeyCode"] = code
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def saved(self, script: str) -> bytes:
        """The bytes of a blob that an expression gives."""
        import base64

        into = (
            f"(async () => {{ const blob = await ({script}); const bytes = new Uint8Array(await blob.arrayBuffer());"
            " let text = ''; for (const byte of bytes) text += String.fromCharCode(byte); return btoa(text); })()"
        )
        return base64.b64decode(self.run(into))


def flows(tab: Tab) -> None:
    """What plays has sound, in no place a silence of 100 ms, and the player's queue never ran dry."""
    found = json.loads(tab.run(f"({FLOW})({MINUTE or FEW_SECONDS}, {SILENT})"))
    print(found)
    assert found["missed"] == 0
    assert found["power"] > 1e-6
    assert found["longest"] < MOST_SILENT_SECONDS
    assert found["gaps"] == 0


def serious(tab: Tab) -> list[Any]:
    """What axe finds on the page that is serious or worse: its rule, and where."""
    tab.run(AXE.read_text(encoding="utf-8"))
    found = tab.run("axe.run(document).then((all) => all.violations)")
    return [
        (one["id"], [node["target"] for node in one["nodes"]])
        for one in found if one["impact"] in ("serious", "critical")
    ]  # fmt: skip


@contextmanager
def browser(folder: Path, *flags: str) -> Iterator[Tab]:
    """A fresh browser with one empty tab. flags: more than `FLAGS`."""
    assert BINARY is not None
    process = subprocess.Popen([BINARY, *FLAGS, *flags, f"--user-data-dir={folder}"], stderr=subprocess.DEVNULL)
    try:
        said = folder / "DevToolsActivePort"
        ends = time.monotonic() + 60
        while not said.exists() or len(said.read_text().splitlines()) < 2:
            assert time.monotonic() < ends, "the browser does not start"
            time.sleep(0.05)
        port, path = said.read_text().splitlines()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None, origin=None) as socket:
            whole = Tab(socket, "")

            def ask(number: int, method: str, **parameters: Any) -> dict[str, Any]:
                socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
                while (answer := json.loads(socket.recv(60))).get("id") != number:
                    whole.events.append(answer)
                return answer["result"]

            target = ask(1, "Target.createTarget", url="about:blank")["targetId"]
            session = ask(2, "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            tab = Tab(socket, session)
            for domain in ("Page", "Runtime", "Network", "Log"):
                tab.send(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        process.wait(20)
