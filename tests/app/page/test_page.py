"""The page in a real browser: sound flows, every control works, and what is saved is what the command line makes."""

import io
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run
from halfstep.app.serve.formats import as_int16
from halfstep.app.serve.limits import USUAL
from halfstep.app.serve.station import Station
from halfstep.audio.guide import RHYTHM
from halfstep.generation.passages import Passage
from halfstep.generation.requests import Piece

from ..serve.conftest import QUICK, Site, serving, styled_model  # noqa: F401  a fixture
from .chromium import AXE, BINARY, MINUTE, Tab, browser, flows, serious

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BINARY is None, reason="no Chromium on this machine")]


@pytest.fixture(scope="module")
def site(tiny_model: Path) -> Iterator[Site]:
    with serving(tiny_model, replace(QUICK, burst_seconds=4.0, queue_seconds=15.0)) as site:
        yield site


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as tab:
        yield tab


@pytest.fixture
def tab(chromium: Tab, site: Site) -> Tab:
    """At the page, which has not played yet."""
    chromium.send("Page.navigate", url="about:blank")
    chromium.events.clear()
    chromium.go(f"http://127.0.0.1:{site.port}/")
    return chromium


def playing(tab: Tab) -> None:
    tab.click("play")
    tab.until("halfstep.player.state.running")


def test_one_click_and_sound_flows_without_a_gap(tab: Tab, site: Site):
    playing(tab)
    tab.until("halfstep.player.state.running && halfstep.player.state.left > 2")
    flows(tab)
    assert "seed 7" in tab.run("document.getElementById('title').textContent")
    assert site.server.stations.listeners == 1
    tab.click("play")
    tab.until("!halfstep.player.state.running")
    assert tab.run("document.getElementById('play').getAttribute('aria-label')") == "Play"
    hosts = {
        urllib.parse.urlsplit(event["params"]["request"]["url"]).netloc
        for event in tab.events
        if event.get("method") == "Network.requestWillBeSent"
    }
    assert hosts <= {f"127.0.0.1:{site.port}", ""}
    problems = [event for event in tab.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")]
    assert problems == []


@pytest.mark.skipif(not MINUTE, reason="HALFSTEP_FLOW_SECONDS says not for how long")
def test_the_model_of_the_package_flows(tab: Tab):
    """As `make page` plays it."""
    with serving(halfstep.load().folder.path, USUAL) as site:
        tab.go(f"http://127.0.0.1:{site.port}/")
        tab.click("play")
        tab.until("halfstep.player.state.running && halfstep.player.state.left > 2")
        flows(tab)


def test_the_picture_is_drawn_from_the_bands(tab: Tab):
    playing(tab)
    tab.until("halfstep.player.state.frame > 40")
    bright = """(() => { const c = document.getElementById('spectrogram'), n = c.width;
      const data = c.getContext('2d').getImageData(0, 0, n, c.height).data;
      let most = 0; for (let i = 0; i < data.length; i += 4) most = Math.max(most, data[i]); return most; })()"""
    assert tab.run(bright) > 150
    columns = tab.run("halfstep.spectrogram.columns.size")
    assert columns >= 40
    tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-reduced-motion", "value": "reduce"}])
    assert tab.run("halfstep.spectrogram.still.matches")
    assert tab.run(bright) > 150
    tab.send("Emulation.setEmulatedMedia", features=[])


def test_a_link_brings_the_same_music_back_and_the_last_seconds_are_saved(tab: Tab, site: Site, tiny_model: Path):
    tab.go(f"http://127.0.0.1:{site.port}/#model=tiny-gauss&seed=11&steps=1")
    tab.send("Page.reload")
    tab.until("document.documentElement?.dataset.ready === 'yes' && document.getElementById('seed').value === '11'")
    playing(tab)
    tab.until("halfstep.player.state.frame > 130")
    data = tab.saved("""import('./files.js').then((files) => {
      const sound = halfstep.player.last(600); window.kept = sound;
      return files.wav(sound.channels, sound.sampleRate); })""")
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    passages = islice(halfstep.load(tiny_model).passages(Piece(seconds=9, seed=11, steps=1)), 40)
    expected = np.concatenate([as_int16(one.samples)[0] for one in passages])
    assert rate == 8000
    np.testing.assert_array_equal(samples, expected[: len(samples)])
    flac = tab.saved("import('./files.js').then((files) => files.flac(window.kept.channels, 8000, {COMMENT: 'x'}))")
    again, _ = soundfile.read(io.BytesIO(flac), dtype="int16")
    np.testing.assert_array_equal(again, samples)
    assert len(flac) < len(data)
    address = tab.run("document.getElementById('link').click(); location.hash")
    assert "seed=11" in address
    assert "at=" in address


def test_controls_change_what_is_played(tab: Tab):
    playing(tab)
    tab.run("document.querySelector('input[name=steps][value=\"1\"]').click()")
    tab.until("document.getElementById('title').textContent.includes('1 step')")
    tab.click("another")
    tab.until("halfstep.player.state.id === 3 && halfstep.player.state.running")
    assert tab.run("document.getElementById('seed').value") != "7"
    tab.run("document.body.focus(); document.activeElement.blur()")
    tab.key("m")
    tab.until("document.getElementById('mute').getAttribute('aria-pressed') === 'true'")
    tab.until("halfstep.player.output.gain.value < 0.001")
    tab.key("m")
    tab.run("""(() => { const v = document.getElementById('variation'); document.getElementById('more').open = true;
      v.value = 0.4; v.dispatchEvent(new Event('input')); v.dispatchEvent(new Event('change')); })()""")
    tab.until("document.getElementById('title').textContent.includes('varied 0.4')")
    tab.until("halfstep.player.state.id === 4 && halfstep.player.state.running")
    tab.key(" ")
    tab.until("!halfstep.player.state.running")


def test_a_style_is_chosen_played_linked_and_made(tab: Tab, styled_model: Path):  # noqa: F811
    """A select for labels, a number for numbers, with names that a screen reader says."""
    asked = "document.getElementById('title').textContent"
    with serving(styled_model, replace(QUICK, burst_seconds=4.0, queue_seconds=15.0)) as site:
        tab.go(f"http://127.0.0.1:{site.port}/#model=tiny-gauss&seed=5&steps=1&style=piano")
        assert tab.run("document.getElementById('condition-style').value") == "piano"
        playing(tab)
        tab.run("""(() => { document.getElementById('more').open = true;
          for (const [name, value] of [['style', 'strings'], ['tempo', '90']]) {
            const one = document.getElementById(`condition-${name}`);
            one.value = value; one.dispatchEvent(new Event('change')); } })()""")
        tab.until(f"{asked}.includes('style strings') && {asked}.includes('tempo 90')")
        tab.until("halfstep.player.state.id === 2 && halfstep.player.state.running && halfstep.player.last(9)")
        sound = tab.saved("""import('./files.js').then((files) => {
          const [block] = halfstep.player.played; window.first = block.frame;
          return files.wav([block.int16], 8000); })""")
        piece = Piece(seconds=9, seed=5, steps=1, asked={"style": "strings", "tempo": 90.0})
        passage = next(halfstep.load(styled_model).passages(piece, tab.run("window.first")))
        samples = soundfile.read(io.BytesIO(sound), dtype="int16")[0]
        np.testing.assert_array_equal(samples, as_int16(passage.samples)[0])
        address = tab.run("document.getElementById('link').click(); location.hash")
        assert "style=strings" in address
        assert "tempo=90" in address
        tab.run("document.getElementById('bars').value = 1")
        tab.click("make-loop")
        tab.until("!document.getElementById('made-wav').hidden")
        made = tab.saved("halfstep.made['made-wav']")
        assert made == site.made("/api/loops?bars=1&bpm=96&beats=4&seed=5&steps=1&style=strings&tempo=90")
        assert made != site.made("/api/loops?bars=1&bpm=96&beats=4&seed=5&steps=1")


def test_the_loop_has_the_bytes_of_the_command_line(tab: Tab, tiny_model: Path, tmp_path: Path):
    tab.run("""(() => { document.getElementById('more').open = true; const set = (id, value) => {
      document.getElementById(id).value = value; };
      set('seed', 5); set('bars', 2); set('bpm', 150); set('beats', 3); })()""")
    tab.click("make-loop")
    tab.until("!document.getElementById('made-wav').hidden")
    data = tab.saved("halfstep.made['made-wav']")
    out = tmp_path / "loop.wav"
    options = ["--seed", "5", "--loop", "--bars", "2", "--bpm", "150", "--beats", "3"]
    assert run(["generate", str(out), "--model", str(tiny_model), *options]) == 0
    assert data == out.read_bytes()
    flac = tab.saved("halfstep.made['made-flac']")
    assert b"LOOPLENGTH=19200" in flac
    np.testing.assert_array_equal(
        soundfile.read(io.BytesIO(flac), dtype="int16")[0], soundfile.read(out, dtype="int16")[0]
    )


def test_a_dropped_recording_goes_on(tab: Tab):
    tab.run("""(() => {
      const sound = new Int16Array(16000).map((_, i) => 3000 * Math.sin(i / 4));
      return import('./files.js').then((files) => {
        const data = new DataTransfer(), file = new File([files.wav([sound], 8000)], 'take.wav');
        data.items.add(file);
        dispatchEvent(new DragEvent('drop', { dataTransfer: data }));
        const seconds = document.getElementById('more-seconds'); seconds.value = 1;
      });
    })()""")
    assert tab.run("document.getElementById('file-name').textContent") == "take.wav"
    tab.click("continue")
    tab.until("!document.getElementById('made-wav').hidden")
    data = tab.saved("halfstep.made['made-wav']")
    assert len(soundfile.read(io.BytesIO(data))[0]) == 24000


def test_a_dropped_recording_gives_its_style_and_is_restyled(tab: Tab, styled_model: Path):  # noqa: F811
    """The bytes are the server's, and so the command line's."""
    said = "document.getElementById('file-name').textContent"
    with serving(styled_model) as site:
        tab.go(f"http://127.0.0.1:{site.port}/#model=tiny-gauss&seed=5&steps=1&mood=glad")
        assert tab.run("document.getElementById('status').textContent") == "tiny-gauss has no such control: mood"
        assert tab.run("document.getElementById('restyle').disabled && document.getElementById('like').disabled")
        take = tab.saved("""import('./files.js').then((files) => {
          let past = 1; const noise = () => 4000 * ((past = (past * 48271) % 2147483647) % 2 - .5);
          const data = new DataTransfer(), blob = files.wav([new Int16Array(16000).map(noise)], 8000);
          data.items.add(new File([blob], 'take.wav'));
          dispatchEvent(new DragEvent('drop', { dataTransfer: data })); return blob; })""")
        status, answer = site.json("POST", "/api/likenesses", take)
        assert status == 200
        tab.click("like")
        tab.until(f"{said} === 'take.wav: style {answer['asked']}'")
        assert tab.run("document.getElementById('condition-style').value") == answer["asked"]
        tab.run("document.getElementById('strength').focus()")
        for _ in range(3):
            tab.key("ArrowLeft", 37)
        assert tab.run("document.getElementById('strength-value').textContent") == "0.60"
        tab.key("Tab", 9)
        assert tab.run("document.activeElement.id") == "restyle"
        tab.key("Enter", 13)
        tab.until("!document.getElementById('made-wav').hidden")
        made = tab.saved("halfstep.made['made-wav']")
        asked = urllib.parse.urlencode({"style": answer["asked"], "seed": 5, "steps": 1, "format": "wav"})
        assert made == site.made(f"/api/restylings?strength=0.6&{asked}", take)
        assert made != site.made(f"/api/restylings?strength=0.75&{asked}", take)
        assert tab.run("document.getElementById('made-wav').download") == "halfstep-tiny-gauss-5-restyled.wav"
        assert tab.run("halfstep.made.audio.duration") == 2
        assert tab.run("document.getElementById('follow').hidden")


def test_a_model_with_a_guide_follows_a_dropped_recording(tab: Tab, tmp_path: Path, write_model: Callable[..., Path]):
    with serving(write_model(tmp_path / "m", id="guided", guide=RHYTHM)) as site:
        tab.go(f"http://127.0.0.1:{site.port}/#seed=3&steps=1")
        take = tab.saved("""import('./files.js').then((files) => {
          const sound = new Int16Array(8000).map((_, at) => at % 4000 === 2000 ? 9000 : 0), data = new DataTransfer();
          const blob = files.wav([sound], 8000);
          data.items.add(new File([blob], 'clicks.wav'));
          dispatchEvent(new DragEvent('drop', { dataTransfer: data }));
          document.getElementById('more-seconds').value = 1; return blob; })""")
        tab.click("follow")
        tab.until("!document.getElementById('made-wav').hidden")
        made = tab.saved("halfstep.made['made-wav']")
        assert made == site.made("/api/guided?seconds=1&seed=3&steps=1&format=wav", take)
        assert tab.run("document.getElementById('made-wav').download") == "halfstep-guided-3-guided.wav"
        tab.run("""(() => { const data = new DataTransfer();
          data.items.add(new File(['MThd'], 'chords.mid'));
          dispatchEvent(new DragEvent('drop', { dataTransfer: data })); })()""")
        able = "['continue', 'close-loop', 'restyle', 'follow'].filter((id) => !document.getElementById(id).disabled)"
        assert tab.run(able) == ["follow"]  # a score has no sound to go on from


def test_a_device_that_is_too_slow_takes_one_step_and_then_a_servers_stream(tab: Tab):
    tab.run("""(() => { window.opened = [];
      halfstep.source.open = (asked, on) => { opened.push({ asked, on }); return { close() {} }; };
      document.getElementById('seed').value = '5'; document.getElementById('seed').onchange(); })()""")
    tab.click("play")
    tab.until("opened.length > 0 && opened.at(-1).asked.steps === 4")
    tab.run("opened.at(-1).on.speed(0.8, true, '')")
    tab.until("opened.at(-1).asked.steps === 1")
    assert tab.run("document.querySelector('input[name=steps]:checked').value") == "1"
    assert "0.8 s of music a second: too slow" in tab.run("document.getElementById('status').textContent")
    tab.run("opened.at(-1).on.speed(0.5, true, '')")
    assert "too slow to make music without gaps" in tab.run("document.getElementById('status').textContent")
    tab.run("""(() => { const meta = document.createElement('meta'); meta.name = 'halfstep-server';
      meta.content = location.origin; document.head.append(meta); opened.at(-1).on.speed(0.5, true, ''); })()""")
    tab.until("!document.getElementById('fallback').hidden")
    assert tab.run("document.getElementById('fallback').src").endswith("/stream/tiny-gauss.mp3")
    assert "this is the server's stream" in tab.run("document.getElementById('status').textContent")


def test_a_server_that_is_gone_is_said_for_as_long_as_it_is(tab: Tab):
    tab.run("""(() => { window.opened = [];
      halfstep.source.open = (asked, on) => { opened.push(on); return { close() {} }; }; })()""")
    tab.click("play")
    tab.until("opened.length === 1")
    tab.run("opened[0].ended('the server does not answer; trying again')")
    for count in (2, 3):
        tab.until(f"opened.length === {count}")
        assert "does not answer" in tab.run("document.getElementById('status').textContent")
        tab.run(f"opened[{count - 1}].ended(null)")


def test_a_generator_that_fails_is_heard_again_within_five_seconds(
    tab: Tab, site: Site, monkeypatch: pytest.MonkeyPatch
):
    """The page's own listener is sent away, and asks again. What other tests listened to may fail first."""
    real, failed = Station._remember, set[str]()

    def remember(self: Station, passage: Passage) -> None:
        if self.name not in failed:
            failed.add(self.name)
            raise RuntimeError("gone")
        real(self, passage)

    playing(tab)
    number = tab.run("halfstep.player.state.id")
    monkeypatch.setattr(Station, "_remember", remember)
    tab.until(f"halfstep.player.state.id > {number} && halfstep.player.state.running")
    assert failed
    assert tab.run("document.getElementById('play').getAttribute('aria-label')") == "Pause"


ROLES = {"button", "link", "slider", "textbox", "spinbutton", "radio", "combobox", "checkbox", "img", "progressbar"}


def test_everything_has_a_name_that_a_screen_reader_says(tab: Tab):
    tab.run("for (const one of document.querySelectorAll('details')) one.open = true")
    nodes = tab.send("Accessibility.getFullAXTree")["nodes"]
    seen = {
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes if not node["ignored"] and node.get("role", {}).get("value") in ROLES
    }  # fmt: skip
    assert {role for role, name in seen if not name} == set()
    names = {name for _, name in seen}
    assert {"Play", "Model", "Seed", "Volume", "Mute", "Copy link", "Save WAV", "Make the loop", "Continue it"} <= names
    assert {"Strength", "Restyle it"} <= names


def test_the_keyboard_reaches_everything_in_the_order_it_is_read(tab: Tab):
    tab.run("document.getElementById('more').open = true")
    order: list[str] = []
    for _ in range(32):
        tab.key("Tab", 9)
        order.append(tab.run("document.activeElement.id || document.activeElement.tagName"))
    wanted = ["theme", "play", "mute", "volume", "link", "model", "seed", "another", "variation", "toward", "save-wav"]
    places = [order.index(id) for id in (*wanted, "make-loop", "file", "strength")]
    assert places == sorted(places)
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    tab.run("document.getElementById('play').focus()")
    tab.key("Tab", 9)
    assert tab.run(ring) != "none"
    tab.run("document.getElementById('play').focus()")
    tab.key("Enter", 13)
    tab.until("halfstep.player.state.running")


@pytest.mark.skipif(not AXE.is_file(), reason="HALFSTEP_AXE names no axe.min.js")
@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_serious(tab: Tab, theme: str):
    tab.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
    tab.run("for (const one of document.querySelectorAll('details')) one.open = true")
    assert serious(tab) == []
    tab.send("Emulation.setEmulatedMedia", features=[])


@pytest.mark.parametrize("width", [390, 900, 1600])
def test_nothing_is_wider_than_the_window(tab: Tab, width: int):
    tab.send("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    tab.run("document.getElementById('more').open = true")
    wide = """[...document.querySelectorAll('body *')].filter((one) => {
      const box = one.getBoundingClientRect(); return box.width > 1 && box.right > innerWidth + 1;
    }).map((one) => one.id || one.className)"""
    assert tab.run(wide) == []
    seed = "document.getElementById('seed')"
    assert tab.run(f"{seed}.value = '4294967295', {seed}.scrollWidth <= {seed}.clientWidth")
    tab.send("Emulation.clearDeviceMetricsOverride")
