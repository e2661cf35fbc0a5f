// The page: its controls, what they ask of the source of music, and what is said of it.
import { flac, isScore, wav } from "./files.js";
import { Player } from "./player.js";
import { Spectrogram } from "./spectrogram.js";

const $ = (id) => document.getElementById(id);
const MOST_SEED = 2n ** 64n - 1n;
const RECONNECT = [500, 1000, 2000, 4000]; // milliseconds
const TUNE = ["model", "seed", "steps", "variation", "toward", "over", "at"];

const player = new Player();
const spectrogram = new Spectrogram($("spectrogram"), $("pitches"));
let source, models = [];
let stream = null; // what is open now
let playing = false;
let number = 0; // of streams opened
let own = false; // whether what plays is the server's own stream, that all hear
let hello = null;
let failures = 0;
let paused = null; // where to go on: a tune, or null
let fresh = true; // the controls say nothing that differs from the server's own stream

async function begin() {
  const kind = document.querySelector('meta[name="halfstep-source"]').content;
  source = kind === "server" ? new (await import("./server.js")).ServerSource() : new (await import("./browser.js")).BrowserSource();
  try {
    models = await source.models();
  } catch (error) {
    say(error.message);
    return;
  }
  $("restyling").hidden = !source.restyles;
  if (source.restyles) $("dropping").firstChild.textContent = "Drop it to continue it, close it into a loop or restyle it";
  $("model").replaceChildren(...models.map((model) => new Option(model.id, model.id)));
  showModel();
  fromLink();
  listen();
  requestAnimationFrame(paint);
  document.documentElement.dataset.ready = "yes";
}

// ---- what is asked for

function model() { return models.find((one) => one.id === $("model").value) ?? models[0]; }

function showModel() {
  const one = model();
  $("steps").replaceChildren(...one.steps.map((steps) => {
    const label = document.createElement("label"), input = document.createElement("input");
    input.type = "radio";
    input.name = "steps";
    input.value = steps;
    input.checked = steps === one.default_steps;
    const text = document.createElement("span");
    text.textContent = steps;
    label.append(input, text);
    return label;
  }));
  $("conditions").replaceChildren(...conditions().map(field));
  $("like").hidden = !known("style");
  $("follow").hidden = !one.guide || one.guide === "none";
  $("licence").textContent = `The music: ${one.output_licence}.`;
  $("credit-list").replaceChildren(...one.credits.slice(0, 400).map((credit) => {
    const item = document.createElement("li");
    item.textContent = `${credit.title} (${credit.licence})`;
    return item;
  }));
  $("credits").hidden = !one.credits.length;
}

/** What the model can be asked for. */
function conditions() { return model().conditions ?? []; }

/** Whether the model can tell in a recording what it is of. */
function known(name) { return (model().known_by_sound ?? []).includes(name); }

function field(one) {
  const box = document.createElement("div"), label = document.createElement("label");
  box.className = "field";
  label.htmlFor = `condition-${one.name}`;
  label.textContent = one.name.replaceAll("_", " ") + (one.unit ? `, ${one.unit}` : "");
  const input = document.createElement(one.kind === "label" ? "select" : "input");
  input.id = label.htmlFor;
  if (one.kind === "label") {
    input.append(new Option("any", ""), ...one.values.map((value) => new Option(value, value)));
  } else if (one.kind === "chords") {
    Object.assign(input, { type: "text", placeholder: "Am F C G", autocomplete: "off" });
  } else {
    Object.assign(input, { type: "number", min: one.values[0], max: one.values.at(-1), step: "any", placeholder: "any" });
  }
  input.onchange = () => changed(true);
  box.append(label, input);
  return box;
}

/** Of the model's conditions, by name; null for any. */
function conditionValues() {
  return Object.fromEntries(conditions().map((one) => {
    const input = $(`condition-${one.name}`);
    return [one.name, input.validity.valid && input.value !== "" ? input.value : null];
  }));
}

/** A select has an option for what it is asked for, though it be a mixture or a drift from elsewhere. */
function showAsked(values) {
  for (const one of conditions()) {
    const input = $(`condition-${one.name}`), value = values[one.name] ?? "";
    if (one.kind === "label" && ![...input.options].some((option) => option.value === value)) input.append(new Option(value, value));
    input.value = value;
  }
}

function seedIn(id) {
  const text = $(id).value.trim();
  if (!/^\d{1,20}$/.test(text) || BigInt(text) > MOST_SEED) return null;
  return BigInt(text).toString();
}

function steps() { return Number(document.querySelector('input[name="steps"]:checked')?.value ?? model().default_steps); }

/** What the controls ask for. */
function tune(at = 0) {
  const variation = Number($("variation").value), toward = seedIn("toward");
  return {
    model: model().id, seed: seedIn("seed") ?? randomSeed(), steps: steps(), variation: variation || null,
    toward, over: drifts() ? Number($("over").value) || 120 : null, at: at > 0 ? at.toFixed(2) : null,
    ...conditionValues(),
  };
}

/** Whether the music goes somewhere: to another seed, or from one style to another. */
function drifts() {
  return (seedIn("toward") && !Number($("variation").value)) || Object.values(conditionValues()).some((value) => value?.includes(".."));
}

function randomSeed() { return String(crypto.getRandomValues(new Uint32Array(1))[0]); }

function fromLink() {
  const given = new URLSearchParams(location.hash.slice(1));
  $("seed").value = "";
  const asked = [...given].filter(([, value]) => value).map(([name]) => name); // not a link to a part of the page
  if (!asked.length) return;
  if (models.some((one) => one.id === given.get("model"))) $("model").value = given.get("model");
  showModel();
  const lacks = asked.filter((name) => !TUNE.includes(name) && !conditions().some((one) => one.name === name));
  if (lacks.length) say(`${model().id} has no such control: ${lacks.join(", ")}`);
  if (lacks.length === asked.length) return;
  showAsked(Object.fromEntries(given));
  for (const name of ["seed", "toward"]) $(name).value = given.get(name) ?? "";
  const wanted = document.querySelector(`input[name="steps"][value="${CSS.escape(given.get("steps") ?? "")}"]`);
  if (wanted) wanted.checked = true;
  $("variation").value = given.get("variation") ?? 0;
  if (given.get("over")) $("over").value = given.get("over");
  showVariation();
  if ($("toward").value || Number($("variation").value)) $("more").open = true;
  if (!seedIn("seed")) $("seed").value = randomSeed();
  const at = Math.max(0, Number(given.get("at")) || 0);
  fresh = false;
  paused = tune(at);
  $("clock").textContent = time(at);
  describe(paused);
}

function link() {
  const now = hello ? tune(seconds()) : tune();
  const values = Object.entries(now).filter(([, value]) => value !== null);
  return `${location.href.split("#")[0]}#${new URLSearchParams(values)}`;
}

// ---- playing

async function play() {
  try {
    await player.begin(model().sample_rate);
  } catch (error) {
    say(error.message);
    return;
  }
  playing = true;
  failures = 0;
  show();
  open(paused ?? (fresh ? { model: model().id } : tune()));
}

function pause() {
  playing = false;
  paused = own || !hello ? null : tune(seconds());
  stream?.close();
  stream = null;
  player.stop();
  show();
  say("paused");
}

/** Another tune in place of the one that plays. */
function open(asked) {
  stream?.close();
  paused = asked;
  const id = ++number;
  let first = true;
  if (!failures) say(limited || "…");
  stream = source.open(asked, {
    hello(said) {
      if (id !== number) return;
      hello = said;
      own = said.own;
      failures = 0;
    },
    block(frame, int16, levels, bands) {
      if (id !== number || !playing) return;
      if (first) {
        first = false;
        spectrogram.begin(hello);
        showTune();
      }
      spectrogram.push(frame, levels, bands);
      player.push(id, frame, int16, hello.hop_length, hello.channels);
    },
    status: (text) => { if (id === number) say(limited || text); },
    left: () => (player.state.id === id ? player.state.left : player.sent),
    speed(times, slow, place) {
      if (id !== number) return;
      document.documentElement.dataset.speed = times.toFixed(2);
      if (slow) tooSlow(times);
      else if (player.state.running) say(limited || `made in this browser${place && ` on ${place}`}, ${times.toFixed(1)} × as fast as it plays`);
    },
    ended(error) {
      if (id !== number || !playing) return;
      // Whatever broke: what is queued plays on, and the music is taken up where it breaks off.
      const wait = RECONNECT[Math.min(failures++, RECONNECT.length - 1)];
      if (error) say((trouble = error));
      setTimeout(() => {
        if (id === number && playing) open(own || !hello ? asked : tune(seconds()));
      }, wait);
    },
  });
}

let trouble = ""; // why there is no music just now
let limited = ""; // what this device is too slow for: said for as long as that holds

/** Fewer steps first; then the stream of a server, where the site names one. */
function tooSlow(times) {
  const fewest = Math.min(...model().steps), choice = document.querySelector(`input[name="steps"][value="${fewest}"]`);
  if (steps() > fewest) {
    choice.checked = true;
    changed(true);
    limited = `this device makes ${times.toFixed(1)} s of music a second: too slow for more than ${fewest} step`;
    say(limited);
    return;
  }
  const server = document.querySelector('meta[name="halfstep-server"]')?.content;
  if (!server) {
    say((limited = "this device is too slow to make music without gaps"));
    return;
  }
  pause();
  say("this device is too slow to make music; this is the server's stream");
  const audio = $("fallback");
  audio.src = `${server}/stream/${encodeURIComponent(model().id)}.mp3`;
  audio.hidden = false;
  audio.play();
}

function showTune() {
  if (changing) return; // the controls say what comes next
  $("seed").value = hello.seed;
  const chosen = document.querySelector(`input[name="steps"][value="${hello.steps}"]`);
  if (chosen) chosen.checked = true;
  showAsked(hello.asked ?? {});
  describe(hello);
  if ("mediaSession" in navigator) {
    navigator.mediaSession.metadata = new MediaMetadata({ title: `seed ${hello.seed}`, artist: hello.model, album: "halfstep" });
    navigator.mediaSession.setActionHandler("play", () => playing || play());
    navigator.mediaSession.setActionHandler("pause", () => playing && pause());
  }
}

function describe(one) {
  const parts = [`${one.model} · seed ${one.seed}`, `${one.steps} step${one.steps === 1 ? "" : "s"}`];
  if (one.variation) parts.push(`varied ${Number(one.variation)}`);
  if (one.toward) parts.push(one.variation ? `towards ${one.toward}` : `drifting to ${one.toward}`);
  for (const { name } of conditions()) {
    const value = (one.asked ?? one)[name];
    if (value) parts.push(`${name.replaceAll("_", " ")} ${value}`);
  }
  if (one.channels > 1) parts.push("stereo");
  $("title").textContent = parts.join(" · ");
}

function seconds() {
  if (!hello) return 0;
  return (player.state.frame * hello.hop_length) / hello.sample_rate;
}

function time(all) {
  const whole = Math.floor(all), pad = (part) => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${pad(Math.floor(whole / 60) % 60)}:${pad(whole % 60)}` : `${Math.floor(whole / 60)}:${pad(whole % 60)}`;
}

let shown = "";
function say(text) {
  if (text === shown) return;
  shown = text;
  $("status").textContent = text;
}

let gaps = 0;
player.onstate = (state) => {
  if (!playing || state.id !== number) return;
  if (state.gaps > gaps) {
    gaps = state.gaps;
    say(steps() > Math.min(...model().steps) ? "falling behind; fewer steps would help" : "falling behind");
  } else if (state.running && (shown === "…" || (shown === trouble && !failures) || shown === "loading the model" || shown.startsWith("falling") && state.left > 2 || shown === "paused")) {
    say(own ? "live" : limited);
  }
};

function show() {
  $("play").setAttribute("aria-pressed", playing);
  $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  document.documentElement.classList.toggle("playing", playing || hello !== null);
  if ("mediaSession" in navigator) navigator.mediaSession.playbackState = playing ? "playing" : "paused";
}

let lastClock = "";
function paint() {
  if (hello) {
    spectrogram.draw(player.frame);
    const shown = time(seconds());
    if (playing && player.state.running && shown !== lastClock) $("clock").textContent = lastClock = shown;
  }
  requestAnimationFrame(paint);
}

// ---- controls

/** Something about the piece was changed: it begins again, from the same moment where that makes sense. */
let changing = 0;
function changed(keepPlace) {
  fresh = false;
  clearTimeout(changing);
  changing = setTimeout(() => {
    changing = 0;
    if (!seedIn("seed")) $("seed").value = hello?.seed ?? randomSeed();
    const next = tune(keepPlace && hello && !own ? seconds() : 0);
    paused = next;
    describe(next);
    if (playing) open(next);
    else $("clock").textContent = time(Number(next.at ?? 0));
  }, 120);
}

function showVariation() {
  const value = Number($("variation").value);
  $("variation-value").textContent = value ? value.toFixed(2) : "none";
}

function another() {
  $("seed").value = randomSeed();
  changed(false);
}

function mute() {
  player.setVolume(player.volume, !player.muted);
  $("mute").setAttribute("aria-pressed", player.muted);
  $("mute").setAttribute("aria-label", player.muted ? "Sound on" : "Mute");
}

async function copyLink() {
  const address = link();
  history.replaceState(null, "", address);
  try {
    await navigator.clipboard.writeText(address);
    say("link copied: it brings this moment back");
  } catch {
    say("the link is in the address bar");
  }
}

function download(blob, name) {
  const anchor = document.createElement("a");
  anchor.href = URL.createObjectURL(blob);
  anchor.download = name;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}

function saveLast(kind) {
  const sound = player.last(Number($("last").value));
  if (!sound) {
    say("nothing was played yet");
    return;
  }
  const tags = { SOFTWARE: "halfstep", COMMENT: `model ${hello.model}, seed ${hello.seed}, ${hello.steps} steps` };
  const blob = kind === "wav" ? wav(sound.channels, sound.sampleRate) : flac(sound.channels, sound.sampleRate, tags);
  download(blob, `halfstep-${hello.model}-${hello.seed}.${kind}`);
  say(`saved ${sound.seconds.toFixed(1)} seconds`);
}

// ---- what takes a while: loops, continuations, restyled recordings

let making = null, file = null;
const MADE = { loops: "loop", continuations: "continued", restylings: "restyled", guided: "guided" };
const made = { audio: null, node: null, loop: false };

async function make(kind, title, asked, body, loop) {
  making?.abort();
  stopMade();
  making = new AbortController();
  const mine = making;
  $("made").hidden = false;
  $("made-title").textContent = title;
  $("made-status").textContent = "working";
  $("made-progress").hidden = false;
  $("made-progress").removeAttribute("value");
  toggleMade(false);
  $("made").scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  try {
    const one = model(), seed = seedIn("seed") ?? "0";
    const common = { model: one.id, seed, steps: steps(), variation: Number($("variation").value) || null, ...conditionValues() };
    const progress = (share, left) => {
      if (share === null) $("made-progress").removeAttribute("value");
      else $("made-progress").value = share;
      if (left) $("made-status").textContent = `about ${Math.ceil(left)} s left`;
    };
    const order = (format) => source.make(kind, { ...common, ...asked, format }, body, progress, mine.signal);
    const blob = await order("wav");
    if (mine.signal.aborted) return;
    await player.begin(one.sample_rate);
    made.audio = await player.context.decodeAudioData(await blob.arrayBuffer());
    made.loop = loop;
    const name = `halfstep-${one.id}-${seed}-${MADE[kind]}`;
    offer("made-wav", blob, `${name}.wav`);
    offer("made-flac", inFlac(made.audio, loop, common), `${name}.flac`);
    $("made-status").textContent = `${made.audio.duration.toFixed(2)} s${loop ? ", repeats without a seam" : ""}`;
    toggleMade(true);
    if (!playing) startMade();
  } catch (error) {
    if (mine.signal.aborted) return;
    $("made-status").textContent = error.message;
    $("made-progress").hidden = true;
    $("made-cancel").textContent = "Close";
  }
}

/** The mixture of styles that the recording sounds like is what is asked for from now on. */
async function like() {
  const asking = model().id;
  $("file-name").textContent = `listening to ${file.name}`;
  try {
    const { asked, condition } = await source.like(asking, file);
    if (model().id !== asking) return;
    showAsked({ ...conditionValues(), [condition]: asked });
    $("file-name").textContent = `${file.name}: ${condition} ${asked}`;
    changed(true);
  } catch (error) {
    $("file-name").textContent = error.message;
  }
}

/** The very samples of a 16-bit WAV that was decoded, as FLAC. */
function inFlac(audio, loop, about) {
  const channels = Array.from({ length: audio.numberOfChannels }, (_, channel) =>
    Int16Array.from(audio.getChannelData(channel), (sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768)))));
  const tags = { COMMENT: `model ${about.model}, seed ${about.seed}, ${about.steps} steps` };
  if (loop) Object.assign(tags, { LOOPSTART: 0, LOOPLENGTH: channels[0].length });
  return flac(channels, audio.sampleRate, tags);
}

function offer(id, blob, name) {
  if ($(id).href) URL.revokeObjectURL($(id).href);
  $(id).href = URL.createObjectURL(blob);
  $(id).download = name;
  made[id] = blob;
}

function toggleMade(done) {
  for (const id of ["made-play", "made-wav", "made-flac"]) $(id).hidden = !done;
  $("made-progress").hidden = done;
  $("made-cancel").textContent = done ? "Close" : "Cancel";
}

function startMade() {
  if (playing) pause();
  made.node = new AudioBufferSourceNode(player.context, { buffer: made.audio, loop: made.loop });
  made.node.onended = stopMade;
  made.node.connect(player.output);
  made.node.start();
  $("made-play").textContent = "Stop";
  $("made-play").setAttribute("aria-pressed", "true");
}

function stopMade() {
  if (made.node) {
    made.node.onended = null;
    made.node.stop();
    made.node = null;
  }
  $("made-play").textContent = "Play";
  $("made-play").setAttribute("aria-pressed", "false");
}

function loopLength() {
  return document.querySelector('input[name="unit"]:checked').value === "bars"
    ? { bars: $("bars").value, bpm: $("bpm").value, beats: $("beats").value }
    : { seconds: $("seconds").value };
}

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  $("file-name").textContent = chosen.name;
  const score = isScore(chosen);
  for (const id of ["continue", "close-loop", "restyle", "like"]) $(id).disabled = score;
  $("follow").disabled = false;
  $("more").open = true;
  $("drop").scrollIntoView({ block: "center" });
}

function listen() {
  $("play").onclick = () => { stopMade(); playing ? pause() : play(); };
  $("model").onchange = () => { limited = ""; showModel(); changed(false); };
  $("steps").onchange = () => { limited = ""; changed(true); };
  $("seed").onchange = () => changed(false);
  $("another").onclick = another;
  $("variation").oninput = showVariation;
  $("variation").onchange = () => changed(true);
  $("toward").onchange = () => changed(false);
  $("over").onchange = () => drifts() && changed(false);
  $("volume").oninput = () => {
    if (player.muted) mute();
    player.setVolume(Number($("volume").value), false);
    remember("volume", $("volume").value);
  };
  $("mute").onclick = mute;
  $("link").onclick = copyLink;
  $("save-wav").onclick = () => saveLast("wav");
  $("save-flac").onclick = () => saveLast("flac");
  $("loop-unit").onchange = () => {
    const bars = document.querySelector('input[name="unit"]:checked').value === "bars";
    $("loop-bars").hidden = !bars;
    $("loop-seconds").hidden = bars;
  };
  $("make-loop").onclick = () => make("loops", "A loop", loopLength(), null, true);
  $("continue").onclick = () => make("continuations", file.name, { seconds: $("more-seconds").value }, file, false);
  $("close-loop").onclick = () => make("continuations", file.name, { seconds: $("more-seconds").value, loop: true }, file, true);
  $("follow").onclick = () => make("guided", file.name, { seconds: $("more-seconds").value }, file, false);
  $("strength").oninput = () => { $("strength-value").textContent = Number($("strength").value).toFixed(2); };
  $("restyle").onclick = () => make("restylings", file.name, { strength: $("strength").value }, file, false);
  $("like").onclick = like;
  $("made-play").onclick = () => made.node ? stopMade() : startMade();
  $("made-cancel").onclick = () => { making?.abort(); stopMade(); $("made").hidden = true; };
  $("file").onchange = () => choose($("file").files[0]);
  $("theme").onclick = () => {
    const light = getComputedStyle(document.documentElement).colorScheme === "light";
    theme(light ? "dark" : "light");
    remember("theme", light ? "dark" : "light");
  };
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => spectrogram.setTheme());
  window.addEventListener("hashchange", () => { fromLink(); if (playing && paused) open(paused); });
  drops();
  keys();
}

function drops() {
  let inside = 0;
  const set = (on) => document.documentElement.classList.toggle("dragging", on);
  addEventListener("dragenter", (event) => { event.preventDefault(); inside++; set(true); });
  addEventListener("dragleave", () => { inside = Math.max(0, inside - 1); if (!inside) set(false); });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => { event.preventDefault(); inside = 0; set(false); choose(event.dataTransfer.files[0]); });
}

function keys() {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, button, a, summary")) return;
    const does = { " ": () => $("play").click(), n: another, m: mute, l: copyLink }[event.key.toLowerCase()];
    if (does) { event.preventDefault(); does(); }
  });
}

// ---- what is remembered on this machine, where it may be

function remember(name, value) { try { localStorage.setItem(`halfstep-${name}`, value); } catch { /* private */ } }
function remembered(name) { try { return localStorage.getItem(`halfstep-${name}`); } catch { return null; } }

function theme(name) {
  document.documentElement.dataset.theme = name;
  spectrogram.setTheme();
}

if (["dark", "light"].includes(remembered("theme"))) theme(remembered("theme"));
const volume = Number(remembered("volume") ?? 0.8);
$("volume").value = volume;
player.setVolume(volume, false);
window.halfstep = { player, spectrogram, made, get source() { return source; } }; // for tests, and the curious
begin();
