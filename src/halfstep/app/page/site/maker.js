// A worker that makes music in this browser: the networks run in onnxruntime-web, the rest is in the files beside it.
import * as ort from "./ort/ort.wasm.min.mjs";
import { defaultRng, tuneNoise } from "./noise.js";
import { bandStream, WindowSampler } from "./sampling.js";
import { Vocoder } from "./vocoder.js";

const BLOCK = 128; // frames that the vocoder takes at once, as on the command line
const LEAD_IN_WINDOWS = 2, LEAD_IN_FRAMES = 64; // generation/passages.py
const LOWEST = -11.5, HIGHEST = 6.5;

ort.env.wasm.wasmPaths = new URL("ort/", import.meta.url).href;
ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.max(1, Math.min(4, navigator.hardwareConcurrency - 1)) : 1;
ort.env.logLevel = "error";

const sessions = new Map(); // address -> promise of a session
let music = null; // what is open: {id, blocks}

self.onmessage = async ({ data }) => {
  try {
    if (data.warm) await warm(data.about);
    if (data.open) music = { id: data.id, blocks: passages(data.about, data.open) };
    if (data.open || data.pull) {
      const mine = music;
      if (!mine || mine.id !== data.id) return;
      const began = performance.now(), { value } = await mine.blocks.next();
      if (music !== mine) return;
      const took = (performance.now() - began) / 1000;
      self.postMessage({ id: data.id, took, threads: ort.env.wasm.numThreads, ...value }, [value.int16.buffer, value.levels.buffer]);
    }
  } catch (error) {
    self.postMessage({ id: data.id, error: error.message });
  }
};

/** Everything loaded, and run once: the first run of a network is the slowest. */
async function warm(about) {
  const vocoder = await vocoderOf(about, 0n), sampler = await samplerOf(about, about.default_steps);
  await vocoder.push(new Float32Array(BLOCK * about.bands).fill(about.floor));
  const { channels, length } = sampler, masks = sampler.matrix ? 1 : about.planes;
  const aligned = about.context ? new Float32Array((channels + masks) * length) : null;
  await sampler.run({ z: new Float32Array(channels * length), alpha: 0, sigma: 1, aligned });
  self.postMessage({ warm: true });
}

async function load(file) {
  if (!sessions.has(file.path)) sessions.set(file.path, (async () => {
    // `integrity`: the very file that the site was written with.
    const answer = await fetch(file.path, { integrity: file.integrity });
    if (!answer.ok) throw new Error(`${file.path} is missing`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    return await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  })());
  try {
    return await sessions.get(file.path);
  } catch (error) {
    sessions.delete(file.path);
    throw error;
  }
}

// Of inputs and outputs in the vocoders of older model folders: what they are called now, as in bundle/session.py.
const FORMER_NAMES = {
  heard: "consistent", found: "frames", wanted: "targets", found_after: "frames_after", wanted_after: "targets_after",
};

/** A network as a function: {name: [values, dims]} -> {name: values}. */
async function network(file) {
  const session = await load(file);
  return async (inputs) => {
    const fed = Object.fromEntries(session.inputNames.map((name) => {
      const [values, dims] = inputs[FORMER_NAMES[name] ?? name];
      return [name, new ort.Tensor("float32", values, dims)];
    }));
    const answers = Object.entries(await session.run(fed));
    return Object.fromEntries(answers.map(([name, tensor]) => [FORMER_NAMES[name] ?? name, tensor.data]));
  };
}

async function vocoderOf(about, seed) {
  const { prior, refiner, bass } = about.files;
  const networks = { prior: await network(prior), refiner: await network(refiner), bass: bass ? await network(bass) : null };
  return new Vocoder(about, networks, defaultRng(seed), BLOCK);
}

async function samplerOf(about, steps) {
  const denoise = await network(about.files[`denoiser-${steps}`]);
  let matrix = null;
  if (about.files.components) {
    const answer = await fetch(about.files.components.path, { integrity: about.files.components.integrity });
    matrix = new Float32Array(await answer.arrayBuffer());
  }
  const length = about.frames / about.planes, { channels } = about;
  return new WindowSampler(about, matrix, steps, async ({ z, alpha, sigma, aligned }) => {
    const inputs = {
      z_t: [z, [1, channels, length]], alpha: [Float32Array.of(alpha), [1]], sigma: [Float32Array.of(sigma), [1]],
    };
    if (aligned) inputs.aligned = [aligned, [1, aligned.length / length, length]];
    return (await denoise(inputs)).v;
  });
}

/** Blocks {frame, frames, int16, levels} without end, from `at` seconds of a tune on. */
async function* passages(about, asked) {
  const { bands, hop_length: hop, sample_rate } = about;
  const tune = { ...asked, seed: BigInt(asked.seed), toward: asked.toward === null ? null : BigInt(asked.toward) };
  const vocoder = await vocoderOf(about, tune.seed);
  const sampler = await samplerOf(about, tune.steps);
  const first = Math.round(((tune.at ?? 0) * sample_rate) / hop), step = about.frames - about.overlap;
  const start = Math.max(0, Math.floor(first / step) - LEAD_IN_WINDOWS) * step;
  const whole = tuneNoise(bands, tune, ((tune.over ?? 120) * sample_rate) / hop);
  let skip = Math.max(0, first - start - LEAD_IN_FRAMES), frame = start + skip;
  let waiting = new Float32Array(0), sound = new Float32Array(0);
  for await (const block of bandStream(sampler, (from, to) => whole(from + start, to + start))) {
    const kept = block.subarray(Math.min(skip * bands, block.length));
    skip = Math.max(0, skip - block.length / bands);
    for (let at = 0; at < kept.length; at += BLOCK * bands) {
      const slice = kept.subarray(at, at + BLOCK * bands);
      waiting = joined(waiting, slice);
      sound = joined(sound, await vocoder.push(slice));
      let frames = Math.floor(sound.length / hop);
      const drop = Math.max(0, Math.min(frames, first - frame));
      frames -= drop;
      if (frames > 0) {
        const samples = sound.subarray(drop * hop, (drop + frames) * hop);
        yield {
          frame: frame + drop, frames, bands,
          int16: Int16Array.from(samples, (one) => Math.round(one * 32767)),
          levels: Uint8Array.from(waiting.subarray(drop * bands, (drop + frames) * bands), level),
        };
      }
      waiting = waiting.slice((drop + frames) * bands);
      sound = sound.slice((drop + frames) * hop);
      frame += drop + frames;
    }
  }
}

function level(value) { return Math.max(0, Math.min(255, Math.round(((value - LOWEST) / (HIGHEST - LOWEST)) * 255))); }

function joined(one, other) {
  const all = new Float32Array(one.length + other.length);
  all.set(one);
  all.set(other, one.length);
  return all;
}
