// From bands to samples, as vocoders/learned.py has it: a prior, steady tones, a refiner, the bass; a stream.
import { RealFft } from "./fft.js";

const LEAD_IN = 32, TINY = 1e-12, LOUDEST = 10, KNEE = 10 ** (-1 / 20), GAIN = 10 ** (-3 / 20), CEILING = 0.999;

/** Frames of `width` numbers, pushed at one end and taken from the other. */
export class Queue {
  constructor(width) { this.width = width; this.values = new Float32Array(0); }
  get frames() { return this.values.length / this.width; }
  push(values) {
    const all = new Float32Array(this.values.length + values.length);
    all.set(this.values);
    all.set(values, this.values.length);
    this.values = all;
  }
  take(frames) {
    const taken = this.values.slice(0, frames * this.width);
    this.values = this.values.slice(frames * this.width);
    return taken;
  }
}

export class OverlapStream {
  constructor(grid, fft) {
    const { window, hop } = grid, reach = Math.ceil(window / hop);
    Object.assign(this, { grid, fft, reach, given: 0 });
    this.tail = new Float32Array((reach - 1) * hop);
    this.gain = Array.from({ length: reach }, (_, which) => {
      const row = new Float32Array(hop);
      for (let frame = 0; frame <= which; frame++)
        for (let i = 0; i < hop; i++) row[i] += (fft.hann[(which - frame) * hop + i] ?? 0) ** 2;
      return row.map((overlap) => 1 / Math.max(overlap, 0.1));
    });
  }
  /** Spectra as real and imaginary parts [frames * bins] -> the next frames * hop samples. */
  add(real, imag) {
    const { hop, bins, window } = this.grid, count = real.length / bins;
    const signal = new Float32Array((count + this.reach - 1) * hop);
    signal.set(this.tail);
    for (let frame = 0; frame < count; frame++) {
      const samples = this.fft.inverse(real, imag, frame * bins);
      for (let i = 0; i < window; i++) signal[frame * hop + i] += samples[i] * this.fft.hann[i];
    }
    this.tail = signal.slice(count * hop);
    for (let frame = 0; frame < count; frame++) {
      const gain = this.gain[Math.min(this.given++, this.reach - 1)];
      for (let i = 0; i < hop; i++) signal[frame * hop + i] *= gain[i];
    }
    return signal.slice(0, count * hop);
  }
}

export class Vocoder {
  /** networks: {prior, refiner, bass}: inputs -> outputs, each {data, dims}. random: doubles from 0 to 1. */
  constructor(about, networks, random, block) {
    const { grid, vocoder } = about;
    Object.assign(this, { about, networks, grid, shape: vocoder, block, bands: about.mel.bands });
    this.fft = new RealFft(grid.n_fft);
    this.phases = Float32Array.from({ length: grid.bins }, () => Math.fround(2 * Math.PI * random()));
    this.priorState = new Float32Array(vocoder.prior_state * vocoder.kept);
    this.refinerState = new Float32Array(vocoder.refiner_state * vocoder.kept);
    this.waiting = new Float32Array(5 * vocoder.refiner_delay * grid.bins);
    this.unanswered = new Queue(this.bands);
    if (networks.bass) {
      const [rows, columns] = vocoder.frames, half = columns / 2;
      this.frames = new Float32Array(rows * columns);
      for (let row = 0; row < rows; row++)
        for (let i = 0; i < half; i++) {
          const turn = 2 * Math.PI * random();
          this.frames[row * columns + i] = 1e-6 * Math.cos(turn);
          this.frames[row * columns + half + i] = 1e-6 * Math.sin(turn);
        }
      this.targets = new Float32Array(vocoder.targets[0] * vocoder.targets[1]).fill(about.floor_magnitude);
    }
    const leadIn = grid.own ? 0 : LEAD_IN;
    this.mels = new Queue(this.bands);
    this.mels.push(new Float32Array(leadIn * this.bands).fill(about.floor));
    const { bins } = grid;
    this.hidden = new Queue(vocoder.width);
    this.magnitude = new Queue(bins);
    this.real = new Queue(bins);
    this.imag = new Queue(bins);
    this.low = new Queue(2 * vocoder.bass_share.length);
    this.sounding = new OverlapStream(grid, this.fft);
    this.sound = new OverlapStream(grid, this.fft);
    this.tones = new Float32Array(0);
    this.skipped = { prior: vocoder.prior_delay, refiner: vocoder.refiner_delay, bass: vocoder.bass_delay };
    this.given = -grid.lead - leadIn * grid.hop;
  }

  /** Log-bands [frames * bands] -> the samples that are settled by now, as loud as the bands say. */
  async push(bands) {
    this.mels.push(bands.map((level) => Math.min(level, LOUDEST)));
    const parts = [];
    while (this.mels.frames >= this.block) parts.push(await this.next(this.mels.take(this.block)));
    const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    return all;
  }

  skip(name, values, frames) {
    const skipped = Math.min(this.skipped[name], frames);
    this.skipped[name] -= skipped;
    return [skipped, frames - skipped];
  }

  async next(mels) {
    const { bins, n_fft, hop } = this.grid, { shape } = this, frames = this.block;
    if (!this.before) {
      this.before = new Float32Array(shape.prior_delay * this.bands);
      for (let i = 0; i < shape.prior_delay; i++) this.before.set(mels.subarray(0, this.bands), i * this.bands);
    }
    const prior = await this.networks.prior({
      log_mel: [mels, [1, frames, this.bands]], mels: [this.before, [1, shape.prior_delay, this.bands]],
      state: [this.priorState, [1, shape.prior_state, shape.kept]],
    });
    this.before = prior.mels_after;
    this.priorState = prior.state_after;
    const [skipped, count] = this.skip("prior", prior.magnitude, frames);
    const magnitude = prior.magnitude.slice(skipped * bins), hidden = prior.hidden.slice(skipped * shape.width);
    if (this.networks.bass) await this.searchBass(mels);

    const units = this.steady(magnitude, count);
    this.hidden.push(hidden);
    this.magnitude.push(magnitude);
    this.real.push(units.real);
    this.imag.push(units.imag);
    const scaledReal = units.real.map((value, at) => value * magnitude[at]);
    const scaledImag = units.imag.map((value, at) => value * magnitude[at]);
    const more = this.sounding.add(scaledReal, scaledImag), tones = new Float32Array(this.tones.length + more.length);
    tones.set(this.tones);
    tones.set(more, this.tones.length);

    const ready = Math.max(0, Math.floor((tones.length - n_fft) / hop) + 1);
    this.tones = tones.slice(ready * hop);
    if (!ready) return new Float32Array(0);
    const consistent = new Float32Array(2 * ready * bins);
    for (let frame = 0; frame < ready; frame++)
      this.fft.forward(tones, frame * hop, consistent.subarray(frame * bins), consistent.subarray((ready + frame) * bins));
    const planned = new Float32Array(2 * ready * bins);
    planned.set(this.real.take(ready));
    planned.set(this.imag.take(ready), ready * bins);
    const refined = await this.networks.refiner({
      hidden: [this.hidden.take(ready), [1, ready, shape.width]], magnitude: [this.magnitude.take(ready), [1, ready, bins]],
      planned: [planned, [1, 2, ready, bins]], consistent: [consistent, [1, 2, ready, bins]],
      waiting: [this.waiting, [1, 5, shape.refiner_delay, bins]], state: [this.refinerState, [1, shape.refiner_state, shape.kept]],
    });
    this.waiting = refined.waiting_after;
    this.refinerState = refined.state_after;
    const [missed, answered] = this.skip("refiner", refined.spectra, ready);
    const real = refined.spectra.slice(missed * bins, ready * bins), imag = refined.spectra.slice((ready + missed) * bins);
    const low = shape.bass_share.length;
    if (low) {
      const bass = this.low.take(answered);
      for (let frame = 0; frame < answered; frame++)
        for (let bin = 0; bin < low; bin++) {
          const at = frame * bins + bin, from = frame * 2 * low + bin, share = shape.bass_share[bin];
          real[at] += share * (bass[from] - real[at]);
          imag[at] += share * (bass[from + low] - imag[at]);
        }
    }
    const samples = this.sound.add(real, imag), before = Math.min(Math.max(-this.given, 0), samples.length);
    this.given += samples.length;
    return samples.slice(before);
  }

  async searchBass(mels) {
    const { shape } = this;
    this.unanswered.push(mels);
    const low = 2 * shape.bass_share.length;
    while (this.unanswered.frames >= shape.bass_block) {
      const answer = await this.networks.bass({
        log_mel: [this.unanswered.take(shape.bass_block), [shape.bass_block, this.bands]],
        frames: [this.frames, shape.frames], targets: [this.targets, shape.targets],
      });
      this.frames = answer.frames_after;
      this.targets = answer.targets_after;
      const [skipped] = this.skip("bass", answer.spectra, shape.bass_block);
      this.low.push(answer.spectra.slice(skipped * low));
    }
  }

  /** exp(i phase) of every bin, every peak a steady tone that goes on: audio/steady.py. */
  steady(magnitude, frames) {
    const { bins, hop, n_fft } = this.grid, real = new Float32Array(frames * bins), imag = new Float32Array(frames * bins);
    let nearestBefore = null, phasesBefore = null, binsBefore = null;
    for (let frame = 0; frame < frames; frame++) {
      const row = magnitude.subarray(frame * bins, (frame + 1) * bins), peaks = [];
      for (let bin = 1; bin < bins - 1; bin++) if (row[bin] > row[bin + 1] && !(row[bin - 1] > row[bin])) peaks.push(bin);
      if (!peaks.length) peaks.push(0);
      const nearest = new Int32Array(bins), phases = new Float64Array(peaks.length);
      let which = 0;
      for (let bin = 0; bin < bins; bin++) {
        while (which + 1 < peaks.length && bin > Math.floor((peaks[which] + peaks[which + 1]) / 2)) which++;
        nearest[bin] = which;
      }
      peaks.forEach((bin, at) => {
        const left = Math.log(row[Math.max(bin - 1, 0)] + TINY), middle = Math.log(row[bin] + TINY);
        const right = Math.log(row[Math.min(bin + 1, bins - 1)] + TINY);
        const curve = Math.max(2 * middle - left - right, TINY);
        const offset = bin === 0 ? 0 : Math.max(-0.5, Math.min(0.5, (0.5 * (right - left)) / curve));
        const hops = (bin + offset) * (hop / n_fft);
        phases[at] = 2 * Math.PI * (hops - Math.floor(hops));
        if (nearestBefore) {
          const parent = nearestBefore[bin];
          phases[at] += phasesBefore[parent] + Math.PI * ((bin - binsBefore[parent]) & 1);
        } else phases[at] += this.phases[bin];
      });
      peaks.forEach((bin, at) => {
        let phase = phases[at];
        phase = Math.fround(phase - 2 * Math.PI * Math.floor(phase / (2 * Math.PI))) + Math.PI * (bin & 1);
        const cos = Math.cos(phase), sin = Math.sin(phase);
        const first = at ? Math.floor((peaks[at - 1] + bin) / 2) + 1 : 0;
        const last = at + 1 < peaks.length ? Math.floor((bin + peaks[at + 1]) / 2) : bins - 1;
        for (let one = first; one <= last; one++) {
          const sign = one & 1 ? -1 : 1;
          real[frame * bins + one] = sign * cos;
          imag[frame * bins + one] = sign * sin;
        }
      });
      [nearestBefore, phasesBefore, binsBefore] = [nearest, phases, peaks];
    }
    if (frames) {
      const from = (frames - 1) * bins;
      for (let bin = 0; bin < bins; bin++) this.phases[bin] = Math.atan2(imag[from + bin], real[from + bin]);
    }
    return { real, imag };
  }
}

/** audio/limiter.py. */
export function limit(sample, gain = GAIN) {
  const scaled = sample * gain, over = Math.abs(scaled) - KNEE;
  if (over <= 0) return scaled;
  return Math.sign(scaled) * (KNEE + (CEILING - KNEE) * Math.tanh(over / (CEILING - KNEE)));
}
