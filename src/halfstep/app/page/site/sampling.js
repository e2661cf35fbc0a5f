// From noise to bands: windows that share their noise, as generation/window.py and canvas.py have it.
// Bands and noise are time-major here: [frames * bands].

/** The mean over 9 frames around each, over fewer at the edges; then what crossfade.py does. */
export function crossfaded(old, young, frames, bands) {
  const smoothed = (values) => {
    const sums = new Float64Array((frames + 1) * bands), out = new Float32Array(frames * bands);
    for (let at = 0; at < frames * bands; at++) sums[at + bands] = sums[at] + values[at];
    for (let frame = 0; frame < frames; frame++) {
      const low = Math.max(0, frame - 4), top = Math.min(frames, frame + 5);
      for (let band = 0; band < bands; band++)
        out[frame * bands + band] = (sums[top * bands + band] - sums[low * bands + band]) / (top - low);
    }
    return out;
  };
  const slowOld = smoothed(old), slowYoung = smoothed(young);
  let product = 0, powerOld = 0, powerYoung = 0;
  for (let at = 0; at < frames * bands; at++) {
    const a = old[at] - slowOld[at], b = young[at] - slowYoung[at];
    product += a * b;
    powerOld += a * a;
    powerYoung += b * b;
  }
  const shared = Math.max(0, Math.min(1, product / Math.max(Math.sqrt(powerOld * powerYoung), 1e-9)));
  const out = new Float32Array(frames * bands);
  for (let frame = 0; frame < frames; frame++) {
    const rise = (frame + 1) / (frames + 1), fall = 1 - rise;
    const power = Math.sqrt(fall ** 2 + rise ** 2 + 2 * rise * fall * shared);
    for (let at = frame * bands; at < (frame + 1) * bands; at++) {
      const fast = (fall * (old[at] - slowOld[at]) + rise * (young[at] - slowYoung[at])) / power;
      out[at] = fall * slowOld[at] + rise * slowYoung[at] + fast;
    }
  }
  return out;
}

export class WindowSampler {
  /** run(inputs) -> v as Float32Array; about: what site.json says of the model. */
  constructor(about, matrix, steps, run) {
    Object.assign(this, { about, matrix, steps, run });
    const { frames, bands, planes } = about;
    this.length = frames / planes;
    this.channels = about.channels;
    this.patch = planes * bands;
  }

  /** [frames * bands] -> [channels * length]; only the first `places`. */
  packed(values, scale, places = this.length) {
    const { length, channels, patch, matrix } = this, out = new Float32Array(channels * length);
    for (let at = 0; at < places; at++) {
      const one = values.subarray(at * patch, (at + 1) * patch); // adjacent frames share a place
      for (let channel = 0; channel < channels; channel++) {
        let sum = 0;
        if (matrix) {
          const row = channel * patch;
          for (let i = 0; i < patch; i++) sum += matrix[row + i] * one[i];
        } else sum = one[channel];
        out[channel * length + at] = sum * scale;
      }
    }
    return out;
  }

  unpacked(x, scale) {
    const { length, channels, patch, matrix } = this, { bands, frames } = this.about;
    const out = new Float32Array(frames * bands), one = new Float32Array(patch);
    for (let at = 0; at < length; at++) {
      if (matrix) {
        one.fill(0);
        for (let channel = 0; channel < channels; channel++) {
          const value = x[channel * length + at] / scale, row = channel * patch;
          for (let i = 0; i < patch; i++) one[i] += matrix[row + i] * value;
        }
      } else for (let channel = 0; channel < channels; channel++) one[channel] = x[channel * length + at];
      out.set(one, at * patch);
    }
    return out;
  }

  /** A standardised window from its noise, knowing its first `knownFrames` frames. */
  async inpainted(noise, known, knownFrames) {
    const { length, channels, about, steps } = this, { planes, frames } = about, scale = about.scale;
    const masks = this.matrix ? 1 : planes;
    const whole = this.matrix ? Math.floor(knownFrames / planes) : length;
    const mask = new Float32Array(masks * length), held = new Float32Array(channels * length);
    for (let at = 0; at < length; at++) {
      for (let plane = 0; plane < planes; plane++) {
        const is = at * planes + plane < knownFrames ? 1 : 0;
        if (this.matrix) { if (plane === planes - 1) mask[at] = at < whole ? 1 : 0; }
        else {
          mask[plane * length + at] = is;
          for (let band = 0; band < about.bands; band++) held[(plane * about.bands + band) * length + at] = is;
        }
      }
      if (this.matrix && at < whole) for (let channel = 0; channel < channels; channel++) held[channel * length + at] = 1;
    }
    const knownX = this.packed(known, scale, whole);
    const aligned = about.context ? new Float32Array((channels + masks) * length) : null;
    if (aligned) {
      for (let at = 0; at < channels * length; at++) aligned[at] = knownX[at] * held[at];
      aligned.set(mask, channels * length);
    }
    let z = this.packed(noise, 1);
    const times = path(steps, about.jumps?.includes(steps));
    for (let step = 0; step < steps; step++) {
      const [alpha, sigma] = rates(times[step]), [alphaS, sigmaS] = rates(times[step + 1]);
      const v = await this.run({ z, alpha, sigma, aligned });
      const next = new Float32Array(z.length);
      for (let at = 0; at < z.length; at++) {
        const one = held[at] ? (alpha * z[at] - knownX[at]) / sigma : v[at];
        next[at] = alphaS * (alpha * z[at] - sigma * one) + sigmaS * (sigma * z[at] + alpha * one);
      }
      z = next;
    }
    return this.unpacked(z, scale);
  }
}

/** Where the steps begin and end: even ones, or one more of which the last two are one (diffusion/steps.py). */
export function path(steps, jumps) {
  const even = jumps ? steps + 1 : steps, times = Array.from({ length: even + 1 }, (_, at) => (even - at) / even);
  return jumps ? [...times.slice(0, -2), 0] : times;
}

function rates(t) {
  return [t === 1 ? 0 : Math.cos((Math.PI / 2) * t), t === 0 ? 0 : Math.sin((Math.PI / 2) * t)];
}

/** Log-bands without end, in blocks {bands: Float32Array}, from a noise (start, stop) -> frames. */
export async function* bandStream(sampler, noise) {
  const { frames, bands, overlap, crossfade, mean, std, floor } = sampler.about;
  let start = 0, past = new Float32Array(0), fade = 0;
  for (;;) {
    const had = past.length / bands, known = new Float32Array(frames * bands);
    known.set(past);
    const window = await sampler.inpainted(noise(start, start + frames), known, had - fade);
    if (fade) {
      const from = (had - fade) * bands, to = had * bands;
      window.set(crossfaded(past.subarray(from, to), window.subarray(from, to), fade, bands), from);
    }
    const begin = had - fade, stop = frames - crossfade;
    const out = window.slice(begin * bands, stop * bands);
    for (let at = 0; at < out.length; at++) {
      const band = at % bands;
      out[at] = Math.max(out[at] * std[band] + mean[band], floor);
    }
    yield out;
    past = window.slice((frames - overlap) * bands);
    start += frames - overlap;
    fade = crossfade;
  }
}
