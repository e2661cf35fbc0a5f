// From one sound to another that renders the same music, in level and in phase: audio/joining.py. And what repeats, at
// another length.
import { RealFft } from "./fft.js";

const LONGEST_FFT = 2048, SHORTEST_FFT = 8, HOPS = 4, LEAST_FFTS = 3, ITERATIONS = 24, TINY = 1e-12;

/** [n] that begins as `left` [n], ends as `right` [n] and passes over in between. */
export function joined(left, right) {
  if (left.length < LEAST_FFTS * SHORTEST_FFT) return right.slice();
  let size = LONGEST_FFT;
  while (LEAST_FFTS * size > left.length) size /= 2;
  const hop = size / HOPS, count = Math.floor((left.length - size) / hop) + 1, bins = size / 2 + 1;
  const covered = (count - 1) * hop + size, fft = new RealFft(size), all = count * bins;
  const spectra = (signal) => {
    const real = new Float64Array(all), imag = new Float64Array(all);
    for (let frame = 0; frame < count; frame++)
      fft.forward(signal, frame * hop, real.subarray(frame * bins), imag.subarray(frame * bins));
    return [real, imag];
  };
  const overlap = new Float64Array(covered);
  for (let frame = 0; frame < count; frame++) for (let i = 0; i < size; i++) overlap[frame * hop + i] += fft.hann[i] ** 2;
  const signal = ([real, imag]) => {
    const out = new Float64Array(covered);
    for (let frame = 0; frame < count; frame++) {
      const samples = fft.inverse(real, imag, frame * bins);
      for (let i = 0; i < size; i++) out[frame * hop + i] += samples[i] * fft.hann[i];
    }
    return out.map((sample, at) => sample / Math.max(overlap[at], 1e-6));
  };
  const [lr, li] = spectra(left), [rr, ri] = spectra(right);
  const magnitude = new Float64Array(all), begun = [new Float64Array(all), new Float64Array(all)];
  const turns = new Float64Array(bins);
  for (let frame = 0; frame < count; frame++) {
    // The first frames and the last are all of one sound: only they reach the edges.
    const rise = Math.max(0, Math.min(1, (frame - (HOPS - 1)) / Math.max(1, count - 2 * HOPS + 1)));
    let powerLeft = 0, powerRight = 0, power = 0;
    for (let at = frame * bins; at < (frame + 1) * bins; at++) {
      const a = Math.hypot(lr[at], li[at]), b = Math.hypot(rr[at], ri[at]);
      magnitude[at] = (a + TINY) ** (1 - rise) * (b + TINY) ** rise;
      powerLeft += a * a;
      powerRight += b * b;
      power += magnitude[at] ** 2;
    }
    const louder = Math.sqrt(((1 - rise) * powerLeft + rise * powerRight) / Math.max(power, TINY));
    for (let bin = 0; bin < bins; bin++) {
      const at = frame * bins + bin;
      magnitude[at] *= louder;
      // The shorter way round, and from frame to frame never a whole turn aside.
      let turn = Math.atan2(ri[at] * lr[at] - rr[at] * li[at], rr[at] * lr[at] + ri[at] * li[at]);
      if (frame) turn += 2 * Math.PI * Math.round((turns[bin] - turn) / (2 * Math.PI));
      turns[bin] = turn;
      const phase = Math.atan2(li[at], lr[at]) + rise * turn;
      begun[0][at] = magnitude[at] * Math.cos(phase);
      begun[1][at] = magnitude[at] * Math.sin(phase);
    }
  }
  let now = begun;
  for (let round = 0; round < ITERATIONS; round++) {
    now = spectra(signal(now));
    for (let at = 0; at < all; at++) {
      const frame = Math.floor(at / bins);
      if (frame < HOPS || frame >= count - HOPS) {
        now[0][at] = begun[0][at];
        now[1][at] = begun[1][at];
      } else {
        const scale = magnitude[at] / Math.max(Math.hypot(now[0][at], now[1][at]), TINY);
        now[0][at] *= scale;
        now[1][at] *= scale;
      }
    }
  }
  const out = right.slice(), edge = (HOPS / 2) * hop, mixed = signal(now);
  out.set(left.subarray(0, edge));
  for (let at = edge; at < covered - edge; at++) out[at] = mixed[at];
  return out;
}

const REACH = 16, PHASES = 1024;

/** One period of what repeats, [count * width], at `size` points instead: band-limited, by a windowed sinc. */
export function stretched(period, width, size) {
  const count = period.length / width;
  if (count === size) return period;
  const kept = Math.min(1, size / count), table = new Float32Array((PHASES + 1) * 2 * REACH);
  for (let phase = 0; phase <= PHASES; phase++)
    for (let tap = 0; tap < 2 * REACH; tap++) {
      const d = phase / PHASES + REACH - 1 - tap, x = Math.PI * kept * d;
      table[phase * 2 * REACH + tap] = kept * (x ? Math.sin(x) / x : 1) * Math.max(0, Math.cos((Math.PI * d) / (2 * REACH))) ** 2;
    }
  const out = new Float32Array(size * width);
  for (let at = 0; at < size; at++) {
    const place = (at * count) / size, whole = Math.floor(place), phase = (place - whole) * PHASES, low = Math.floor(phase);
    for (let tap = 0; tap < 2 * REACH; tap++) {
      const one = table[low * 2 * REACH + tap], weight = one + (phase - low) * (table[(low + 1) * 2 * REACH + tap] - one);
      const from = ((((whole + tap - REACH + 1) % count) + count) % count) * width;
      for (let i = 0; i < width; i++) out[at * width + i] += weight * period[from + i];
    }
  }
  return out;
}
