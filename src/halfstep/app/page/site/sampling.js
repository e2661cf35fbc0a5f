// From noise to bands: where windows lie and what each of them knows, as generation/canvas.py has it. What is computed
// of a window is in graphs, traced from the formulas of numpy (app/page/graphs.py).
// Bands and noise are time-major here: [frames * bands].

export class WindowSampler {
  /** graphs: name -> inputs -> outputs, each {name: values}; denoise(z, alpha, sigma, aligned, pooled) -> v; asked(frame
   *  of the canvas) -> the weights that are asked for there, which a window has of its middle. */
  constructor(about, graphs, steps, denoise, asked) {
    const guide = new Float32Array(about.guide_rows * about.frames); // nothing to follow
    Object.assign(this, { about, graphs, denoise, asked, path: about.paths[steps], pooled: asked(0), guide });
  }

  /** A standardised window from its noise, knowing `known` where mask [frames] is 1. */
  async inpainted(noise, known, mask) {
    const { context, guide_rows } = this.about, { packed, stepped, unpacked } = this.graphs;
    let { z, known_x, held, aligned } = await packed({ noise, known, mask, guide: this.guide });
    for (const [alpha_t, sigma_t, alpha_s, sigma_s] of this.path) {
      const v = await this.denoise(z, alpha_t, sigma_t, context || guide_rows ? aligned : null, this.pooled);
      const rates = { alpha_t: [alpha_t], sigma_t: [sigma_t], alpha_s: [alpha_s], sigma_s: [sigma_s] };
      z = (await stepped({ z, v, known_x, held, ...rates })).z_s;
    }
    return (await unpacked({ z })).window;
  }

  /** The noise, changed where `target` is above 0, so that the window comes near `known` there. */
  async optimised(noise, known, mask, target, rounds) {
    for (let round = 0; round < rounds; round++)
      noise = (await this.graphs.nearer({ noise, known, rendered: await this.inpainted(noise, known, mask), target })).nearer;
    return noise;
  }

  /** As many frames of standardised bands as come, in logarithms of magnitude; and the other way. */
  logMel(window) { return this.padded(window, "log_mel", "window", "bands"); }
  standardised(bands) { return this.padded(bands, "standardised", "bands", "window"); }

  async padded(values, graph, input, output) {
    const size = this.about.frames * this.about.bands, all = new Float32Array(values.length);
    for (let at = 0; at < values.length; at += size) {
      const part = new Float32Array(size);
      part.set(values.subarray(at, at + size));
      all.set((await this.graphs[graph]({ [input]: part }))[output].subarray(0, Math.min(size, values.length - at)), at);
    }
    return all;
  }
}

/** The windows of a canvas {before, frames, after}, counted in frames: for ever where `frames` is null. */
export function* placements(layout, before, frames = null, after = 0) {
  const { frames: size, overlap, grain } = layout, hop = size - overlap;
  const most = Math.min(overlap, before), fade = (recorded) => Math.min(layout.crossfade, Math.floor(recorded / 2));
  let start = -(frames === null || frames > hop ? most : Math.min(most, Math.max(1, Math.floor((size - frames) / 2))));
  let filled = 0, crossfade = fade(before);
  while (frames === null || start + size <= frames + layout.crossfade) {
    yield { start, filled, crossfade, closing: null };
    filled = frames === null ? start + size : filledBy();
    start = filled - overlap;
    crossfade = layout.crossfade;
  }
  yield { start, filled, crossfade, closing: fade(after) };

  /** Up to where the window at `start` fills the gap: the last one is left enough to lead over. */
  function filledBy() {
    const least = hop - layout.crossfade - 1, cut = Math.min(start + size, frames - Math.min(overlap, least));
    const aligned = cut - ((((cut - overlap - start) % grain) + grain) % grain);
    return frames - aligned <= least || cut === start + size ? aligned : cut;
  }
}

/** Log-bands without end, a block a window, of a canvas {noise(start, stop), boundary, before, guide(start, stop)}. */
export async function* bandStream(sampler, canvas) {
  const { bands, overlap, crossfade, grain, frames } = sampler.about, layout = { frames, overlap, crossfade, grain };
  let past = canvas.before ? (await sampler.standardised(canvas.before)).slice(-overlap * bands) : new Float32Array(0);
  const plan = placements(layout, past.length / bands);
  let place = plan.next().value;
  for (;;) {
    const window = await windowAt(sampler, canvas, place, past), next = plan.next().value, at = (frame) => (frame - place.start) * bands;
    yield await sampler.logMel(window.slice(at(place.filled - place.crossfade), at(next.filled - next.crossfade)));
    past = window.slice(at(next.start), at(next.filled));
    place = next;
  }
}

/** Log-bands [before + frames + after] of a canvas whose gap is filled. progress: called with the share that is done. */
export async function filled(sampler, canvas, progress) {
  const { bands, overlap, crossfade, grain, frames: size } = sampler.about, { frames } = canvas;
  const before = canvas.before ? await sampler.standardised(canvas.before) : new Float32Array(0);
  const after = await sampler.standardised(canvas.after), zero = before.length / bands;
  const whole = new Float32Array(before.length + frames * bands + after.length);
  whole.set(before);
  whole.set(after, before.length + frames * bands);
  for (const place of placements({ frames: size, overlap, crossfade, grain }, zero, frames, after.length / bands)) {
    const start = zero + place.start, past = whole.slice(start * bands, (zero + place.filled) * bands);
    const window = await windowAt(sampler, canvas, place, past, after);
    const last = place.closing !== null, begin = last ? zero + place.filled - place.crossfade : start;
    const stop = last ? zero + frames + place.closing : Math.min(start + size, zero + frames);
    whole.set(window.subarray((begin - start) * bands, (stop - start) * bands), begin * bands);
    progress(Math.min(1, (stop - zero) / frames));
  }
  return await sampler.logMel(whole);
}

/** The window at a place, given the frames that it begins with; it has passed over from them and, the last, to `after`. */
async function windowAt(sampler, canvas, place, past, after = null) {
  const { frames, bands, optimising_rounds } = sampler.about, end = past.length / bands, fade = end - place.crossfade;
  const known = new Float32Array(frames * bands), mask = new Float32Array(frames), target = new Float32Array(frames);
  known.set(past);
  mask.fill(1, 0, fade);
  if (place.filled === 0) target.set(fading(place.crossfade), fade);
  const begin = place.closing === null ? frames : canvas.frames - place.start;
  if (place.closing !== null) {
    const reached = Math.min(frames - begin, after.length / bands);
    known.set(after.subarray(0, reached * bands), begin * bands);
    mask.fill(1, begin + place.closing, begin + reached);
    target.set(fading(place.closing).reverse(), begin);
  }
  sampler.pooled = sampler.asked?.(place.start + frames / 2);
  if (canvas.guide) sampler.guide = await canvas.guide(place.start, place.start + frames);
  let noise = noiseOf(canvas, place.start, place.start + frames, bands);
  if (target.some((one) => one)) noise = await sampler.optimised(noise, known, mask, target, optimising_rounds);
  let window = await sampler.inpainted(noise, known, mask);
  if (sampler.graphs.stationary && end && place.closing === null)
    window = (await sampler.graphs.stationary({ window, ...shares(frames, end) })).stationary;
  if (place.crossfade) await crossfade(sampler, past.subarray(fade * bands), window, fade, true);
  if (place.closing) await crossfade(sampler, after.subarray(0, place.closing * bands), window, begin, false);
  return window;
}

/** Frames of a window from `at` on pass over from `held` to those they are, or from those to `held`. */
async function crossfade(sampler, held, window, at, opens) {
  const { bands } = sampler.about, own = window.slice(at * bands, at * bands + held.length);
  const { joined } = await sampler.graphs.crossfaded(opens ? { old: held, new: own } : { old: own, new: held });
  window.set(joined, at * bands);
}

/** What is past of a window, what is new, and how far it is led back: generation/stationary.py has them too. */
function shares(frames, known) {
  const past = new Float32Array(frames).fill(1 / known, 0, known), fresh = new Float32Array(frames).fill(1 / (frames - known), known);
  const ramp = Float32Array.from({ length: frames }, (_, at) => Math.max(0, Math.min(1, (at + 1 - known) * 2 / (frames - known))));
  return { past, fresh, ramp };
}

/** How much of what is known is wanted of frames that pass away from it: from near 1 evenly to near 0. */
function fading(frames) { return Float32Array.from({ length: frames }, (_, at) => (frames - at) / (frames + 1)); }

function noiseOf(canvas, start, stop, bands) {
  if (start >= 0) return canvas.noise(start, stop);
  if (!canvas.boundary) throw new Error("a canvas whose recording has no noise");
  const all = new Float32Array((stop - start) * bands);
  all.set(canvas.boundary(0, -start));
  all.set(canvas.noise(0, stop), -start * bands);
  return all;
}
