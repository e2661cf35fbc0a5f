// A worker that makes music in this browser: networks and formulas run in onnxruntime-web, the rest is in the files beside it.
import { BOUNDARY, defaultRng, seedNoise, tuneNoise } from "./noise.js";
import { course } from "./conditions.js";
import { following } from "./guide.js";
import { leader, guidedTo } from "./leading.js";
import { planned } from "./planning.js";
import { readMidi } from "./midi.js";
import { closed, continued, followed, loop, piece, played } from "./pieces.js";
import { bandStream, WindowSampler } from "./sampling.js";
import { concatenated, parted, RowsVocoder } from "./stereo.js";
import { Vocoder } from "./vocoder.js";

const BLOCK = 128; // frames that the vocoder takes at once, as on the command line
const LEAD_IN_WINDOWS = 2, LEAD_IN_FRAMES = 64; // generation/passages.py
const LOWEST = -11.5, HIGHEST = 6.5;
const GRAPHS = ["packed", "stepped", "unpacked", "crossfaded", "log_mel", "standardised", "analysed", "nearer", "stationary", "imaged"];

// What comes before all is loaded waits.
const early = [];
self.onmessage = (event) => early.push(event);

const threads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency - 1)) : 1;
const ort = await build("wasm");
// The build with WebGPU has fewer kernels for the processor, and needs JavaScript's promises inside WebAssembly: where
// both are it is fetched beside the other, for the denoiser alone. An adapter that is software is no graphics card.
const adapter = "Suspending" in WebAssembly ? await navigator.gpu?.requestAdapter().catch(() => null) : null;
const card = adapter && !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter);
let gpu = null;

async function build(name) {
  const runtime = await import(`./ort/ort.${name}.min.mjs`);
  runtime.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href;
  runtime.env.wasm.numThreads = name === "wasm" ? threads : 1;
  runtime.env.logLevel = "error";
  return runtime;
}

const sessions = new Map(); // address and place -> promise of a session
const given = new Set(); // numbers of pieces that are no longer wanted
let music = null; // what is open: {id, blocks}
let on = "wasm"; // where denoisers run

self.onmessage = async ({ data }) => {
  try {
    if (data.warm) await warm(data.about);
    if (data.cancel) given.add(data.id);
    if (data.make) await make(data);
    if (data.open) music = { id: data.id, blocks: passages(data.about, data.open) };
    if (data.open || data.pull) {
      const mine = music;
      if (!mine || mine.id !== data.id) return;
      const began = performance.now(), { value } = await mine.blocks.next();
      if (music !== mine) return;
      const took = (performance.now() - began) / 1000;
      const place = on === "webgpu" ? "the graphics card" : threads > 1 ? `${threads} threads` : "";
      self.postMessage({ id: data.id, took, place, ...value }, [value.int16.buffer, value.levels.buffer]);
    }
  } catch (error) {
    on = "wasm"; // a graphics card that is gone is not asked again
    self.postMessage({ id: data.id, error: error.message });
  }
};
for (const event of early.splice(0)) self.onmessage(event);

/** Everything loaded, and run once: the first run of a network is the slowest. */
async function warm(about) {
  const vocoder = await vocoderOf(about, 0n);
  if (card) await choose(about);
  const sampler = await samplerOf(about, about.default_steps, asks(about, {}).at), { frames, bands } = about;
  await vocoder.push(new Float32Array(BLOCK * bands).fill(about.floor));
  await sampler.inpainted(new Float32Array(frames * bands), new Float32Array(frames * bands), new Float32Array(frames));
  self.postMessage({ warm: true });
}

/** A denoiser runs on the graphics card where that takes less time. */
async function choose(about) {
  const { channels, length } = about, took = {};
  for (const place of ["wasm", "webgpu"]) {
    try {
      const denoise = await denoiserOf(about, about.default_steps, place), z = new Float32Array(channels * length);
      const aligned = about.aligned ? new Float32Array(about.aligned * length) : null;
      for (let run = 0; run < 3; run++) { // the first one compiles
        const began = performance.now();
        await denoise(z, 0, 1, aligned, asks(about, {}).at(0));
        took[place] = performance.now() - began;
      }
    } catch {
      took[place] = Infinity;
    }
  }
  if (took.webgpu < took.wasm) on = "webgpu";
}

async function load(file, place = "wasm") {
  const key = `${place} ${file.path}`;
  if (!sessions.has(key)) sessions.set(key, (async () => {
    // `integrity`: the very file that the site was written with.
    const answer = await fetch(file.path, { integrity: file.integrity });
    if (!answer.ok) throw new Error(`${file.path} is missing`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const runtime = place === "webgpu" ? (gpu ??= await build("jspi")) : ort;
    return await alone(() => runtime.InferenceSession.create(bytes, { executionProviders: [place], graphOptimizationLevel: "all" }));
  })());
  try {
    return await sessions.get(key);
  } catch (error) {
    sessions.delete(key);
    throw error;
  }
}

let last = Promise.resolve();
/** One after the other: what plays, and what is made beside it. */
function alone(does) {
  const mine = last.then(does);
  last = mine.catch(() => {});
  return mine;
}

// Of inputs and outputs in the vocoders of older model folders: what they are called now, as in bundle/session.py.
const FORMER_NAMES = {
  heard: "consistent", found: "frames", wanted: "targets", found_after: "frames_after", wanted_after: "targets_after",
};

/** A network as a function: {name: [values, dims]} -> {name: values}. */
async function network(file, place) {
  const session = await load(file, place);
  return async (inputs) => {
    const fed = Object.fromEntries(session.inputNames.map((name) => {
      const [values, dims] = inputs[FORMER_NAMES[name] ?? name];
      return [name, new ort.Tensor("float32", values, dims)];
    }));
    const answers = Object.entries(await alone(() => session.run(fed)));
    return Object.fromEntries(answers.map(([name, tensor]) => [FORMER_NAMES[name] ?? name, tensor.data]));
  };
}

/** A graph as a function: {name: values} -> {name: values}; its shapes are its own. */
async function graph(file) {
  const session = await load(file), shapes = Object.fromEntries(session.inputMetadata.map((one) => [one.name, one.shape]));
  return async (inputs) => {
    const fed = Object.fromEntries(session.inputNames.map((name) => [name, new ort.Tensor("float32", inputs[name], shapes[name])]));
    return Object.fromEntries(Object.entries(await alone(() => session.run(fed))).map(([name, tensor]) => [name, tensor.data]));
  };
}

/** The course of what is asked of a model. */
function asks(about, asked) { return course(about.conditions, asked, about.guided); }

async function vocoderOf(about, seed) {
  const { prior, refiner, bass } = about.files;
  const networks = { prior: await network(prior), refiner: await network(refiner), bass: bass ? await network(bass) : null };
  const mid = new Vocoder(about, networks, defaultRng(seed), BLOCK);
  return new RowsVocoder(about, mid, about.files.side ? await graph(about.files.side) : null);
}

/** (z, alpha, sigma, aligned or null, weights of what is asked for) -> v. */
async function denoiserOf(about, steps, place) {
  const denoise = await network(about.files[`denoiser-${steps}`], place), { channels, length } = about;
  return async (z, alpha, sigma, aligned, pooled) => {
    const inputs = {
      z_t: [z, [1, channels, length]], alpha: [Float32Array.of(alpha), [1]], sigma: [Float32Array.of(sigma), [1]],
    };
    if (aligned) inputs.aligned = [aligned, [1, aligned.length / length, length]];
    if (pooled.length) inputs.pooled = [pooled, [1, pooled.length]];
    return (await denoise(inputs)).v;
  };
}

async function samplerOf(about, steps, asked, place = on) {
  const graphs = {};
  for (const name of GRAPHS) if (about.files[name]) graphs[name] = await graph(about.files[name]);
  graphs.of = (name) => graph(about.files[name]);
  return new WindowSampler(about, graphs, steps, await denoiserOf(about, steps, place), asked);
}

/** What plans the music of a tune, key or null -> a leader; null of a model that plans nothing. loop: its seconds, or null. */
function plannerOf({ plan, sample_rate, hop_length }, tune, asked, arrival, loop) {
  return plan && (async (key) => {
    const known = Object.fromEntries(plan.conditions.filter(({ name }) => asked[name] !== undefined).map(({ name }) => [name, asked[name]]));
    const { at } = asks(plan, known), sampler = await samplerOf(plan, plan.default_steps, (frame) => at(frame / Math.max(1, arrival)), "wasm");
    return await planned(plan, sampler, tune, arrival, key, loop === null ? null : Math.round(loop * sample_rate) / hop_length);
  });
}

/** A loop, what a recording becomes, or music that follows it or a score (bytes of MIDI): all of its samples, once they are made. */
async function make({ id, about, make: kind, tune: asked, count, recording, score }) {
  const tune = { ...asked, seed: BigInt(asked.seed), toward: null }, follows = kind === "guided";
  const { drifts, at } = asks(about, asked.asked), loops = kind === "loops" || asked.loop, frames = count / about.hop_length;
  if (drifts && loops) throw new Error("a loop ends where it began, so what is asked of it cannot drift");
  const [own] = follows ? guidedTo(about, asked.asked) : [];
  if (own) throw new Error(`${own}: the recording has a ${own} of its own; leave one of the two out`);
  const parts = { about, sampler: await samplerOf(about, tune.steps, (frame) => at(frame / Math.max(1, frames))), vocoder: await vocoderOf(about, tune.seed) };
  const seconds = count / about.sample_rate, beside = recording !== null;
  const looped = kind === "loops" ? seconds : null, plan = plannerOf(about, tune, asked.asked, frames, looped);
  const lead = () => (score ? played(parts, readMidi(score)) : followed(parts, recording));
  const guide = follows ? await lead() : await leader(about, asked.asked, { seed: tune.seed, beside, loop: looped }, plan);
  const noise = tuneNoise(about.bands, tune, frames), canvas = { noise, boundary: seedNoise(about.bands, tune.seed, BOUNDARY), guide: following(guide) };
  const progress = (share) => {
    if (given.delete(id)) throw new Error("cancelled");
    self.postMessage({ id, progress: share });
  };
  const channels = kind === "loops" ? await loop(parts, noise, guide, count, progress)
    : follows ? await piece(parts, canvas, count, progress)
    : await (asked.loop ? closed : continued)(parts, canvas, recording, count, progress);
  self.postMessage({ id, channels }, channels.map((one) => one.buffer));
}

/** Blocks {frame, frames, int16, levels} without end, from `at` seconds of a tune on. */
async function* passages(about, asked) {
  const { bands, hop_length: hop, sample_rate } = about;
  const tune = { ...asked, seed: BigInt(asked.seed), toward: asked.toward === null ? null : BigInt(asked.toward) };
  const vocoder = await vocoderOf(about, tune.seed);
  const first = Math.round(((tune.at ?? 0) * sample_rate) / hop), step = about.frames - about.overlap;
  const start = Math.max(0, Math.floor(first / step) - LEAD_IN_WINDOWS) * step;
  const arrival = ((tune.over ?? 120) * sample_rate) / hop, whole = tuneNoise(bands, tune, arrival);
  const { at } = asks(about, asked.asked), plan = plannerOf(about, tune, asked.asked, arrival, null);
  const guide = following(await leader(about, asked.asked, { seed: tune.seed, beside: false, loop: null }, plan), start);
  const sampler = await samplerOf(about, tune.steps, (frame) => at((frame + start) / Math.max(1, arrival)));
  let skip = Math.max(0, first - start - LEAD_IN_FRAMES), frame = start + skip;
  let waiting = new Float32Array(0), sound = Array.from({ length: about.mel.channels }, () => new Float32Array(0));
  for await (const block of bandStream(sampler, { noise: (from, to) => whole(from + start, to + start), guide })) {
    const kept = block.subarray(Math.min(skip * bands, block.length));
    skip = Math.max(0, skip - block.length / bands);
    for (let at = 0; at < kept.length; at += BLOCK * bands) {
      const slice = kept.subarray(at, at + BLOCK * bands);
      waiting = concatenated([waiting, slice]);
      const more = await vocoder.push(slice);
      sound = sound.map((channel, which) => concatenated([channel, more[which]]));
      let frames = Math.floor(sound[0].length / hop);
      const drop = Math.max(0, Math.min(frames, first - frame));
      frames -= drop;
      if (frames > 0) {
        const samples = concatenated(sound.map((channel) => channel.subarray(drop * hop, (drop + frames) * hop)));
        const levels = parted(about, waiting.subarray(drop * bands, (drop + frames) * bands)).bands;
        yield {
          frame: frame + drop, frames, bands: about.mel.bands,
          int16: Int16Array.from(samples, (one) => Math.round(one * 32767)), levels: Uint8Array.from(levels, level),
        };
      }
      waiting = waiting.slice((drop + frames) * bands);
      sound = sound.map((channel) => channel.slice((drop + frames) * hop));
      frame += drop + frames;
    }
  }
}

function level(value) { return Math.max(0, Math.min(255, Math.round(((value - LOWEST) / (HIGHEST - LOWEST)) * 255))); }
