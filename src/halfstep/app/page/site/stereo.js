// Rows to one channel or two: the mid from their bands, and where they have an image below them the side, which is predicted
// from the mid (vocoders/stereo.py). Rows are time-major: [frames * (bands, image)].
import { RealFft } from "./fft.js";
import { modulo } from "./guide.js";
import { limit, OverlapStream, Queue } from "./vocoder.js";

export class RowsVocoder {
  /** mid: a Vocoder. graph: what the mid is multiplied with for the side, as a function; null of one channel. */
  constructor(about, mid, graph) {
    Object.assign(this, { about, mid, graph, block: mid.block });
    this.side = graph && new SideStream(about, graph);
    this.waiting = new Float32Array(0); // of the mid, for its side
  }

  /** Rows -> channels [n] that are settled by now, limited. */
  async push(rows) { return (await this.unlimited(rows)).map((channel) => channel.map((sample) => limit(sample))); }

  /** The same, as loud as the rows say. */
  async unlimited(rows) {
    const { bands, image } = parted(this.about, rows), mid = await this.mid.push(bands);
    if (!this.side) return [mid];
    const side = await this.side.push(mid, image), all = concatenated([this.waiting, mid]);
    this.waiting = all.slice(side.length);
    return leftRight(all.subarray(0, side.length), side);
  }

  /** The channels of a period of the mid, whose rows repeat: the side of a sample depends on what is around it alone. */
  async around(mid, rows) {
    if (!this.side) return [mid];
    const { about } = this, { hop_length: hop } = about, { image } = parted(about, rows), width = about.bands - about.mel.bands;
    const frames = mid.length / hop, around = Math.ceil(about.grid.window / about.grid.hop) + 1, side = new SideStream(about, this.graph);
    const turned = (values, size) => {
      const out = new Float32Array((frames + 2 * around) * size);
      for (let at = 0; at < frames + 2 * around; at++) {
        const from = modulo(at - around, frames) * size;
        out.set(values.subarray(from, from + size), at * size);
      }
      return out;
    };
    const sound = concatenated([await side.push(turned(mid, hop), turned(image, width)), await side.finish()]);
    return leftRight(mid, sound.subarray(around * hop, (around + frames) * hop));
  }
}

/** The side of a mid as it comes, with its image. */
class SideStream {
  constructor(about, graph) {
    const { grid } = about;
    Object.assign(this, { grid, graph, atOnce: about.side_frames, width: about.bands - about.mel.bands, skipped: grid.lead });
    this.fft = new RealFft(grid.n_fft, grid.window);
    this.sound = new OverlapStream(grid, this.fft);
    this.waiting = new Float32Array(grid.lead);
    this.image = new Queue(this.width);
    this.received = this.given = 0;
    // The window lies in the middle of what is transformed.
    this.margin = (grid.n_fft - grid.window) / 2;
  }

  get needed() { return (this.atOnce - 1) * this.grid.hop + this.grid.window; }

  /** Samples of the mid, and frames of its image -> the samples of the side that are settled by now. */
  async push(mid, image) {
    this.received += mid.length;
    this.waiting = concatenated([this.waiting, mid]);
    if (image.length) {
      this.image.push(image);
      this.last = image.slice(-this.width);
    }
    const parts = [];
    while (this.image.frames >= this.atOnce && this.waiting.length >= this.needed) parts.push(await this.next());
    const side = concatenated(parts);
    this.given += side.length;
    return side;
  }

  /** What is left: with it, as many samples as there were of the mid. */
  async finish() {
    const left = this.received - this.given, parts = [];
    for (let have = 0; have < left; have += parts.at(-1).length) {
      while (this.image.frames < this.atOnce) this.image.push(this.last);
      this.waiting = concatenated([this.waiting, new Float32Array(Math.max(0, this.needed - this.waiting.length))]);
      parts.push(await this.next());
    }
    return concatenated(parts).slice(0, left);
  }

  async next() {
    const { atOnce, margin } = this, { bins, hop, n_fft } = this.grid, size = atOnce * bins;
    const real = new Float32Array(size), imag = new Float32Array(size), power = new Float32Array(size);
    const framed = new Float32Array(this.needed + 2 * margin);
    framed.set(this.waiting.subarray(0, this.needed), margin);
    for (let frame = 0; frame < atOnce; frame++)
      this.fft.forward(framed, frame * hop, real.subarray(frame * bins), imag.subarray(frame * bins));
    for (let at = 0; at < size; at++) power[at] = real[at] * real[at] + imag[at] * imag[at];
    const turn = await this.graph({ power, image: this.image.take(atOnce) });
    for (let at = 0; at < size; at++) {
      const a = real[at], b = imag[at], c = turn.real[at], d = turn.imag[at];
      real[at] = a * c - b * d;
      imag[at] = a * d + b * c;
    }
    this.waiting = this.waiting.slice(atOnce * hop);
    const samples = this.sound.add(real, imag), cut = Math.min(this.skipped, samples.length);
    this.skipped -= cut;
    return samples.slice(cut);
  }
}

function leftRight(mid, side) { return [mid.map((one, at) => one + side[at]), mid.map((one, at) => one - side[at])]; }

/** Rows [frames * rows] as their bands and the image below them. */
export function parted({ bands: rows, mel: { bands } }, values) {
  if (rows === bands) return { bands: values, image: null };
  const frames = values.length / rows, of = (from, to) => {
    const out = new Float32Array(frames * (to - from));
    for (let frame = 0; frame < frames; frame++) out.set(values.subarray(frame * rows + from, frame * rows + to), frame * (to - from));
    return out;
  };
  return { bands: of(0, bands), image: of(bands, rows) };
}

/** Arrays one after the other. */
export function concatenated(parts) {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) { all.set(part, at); at += part.length; }
  return all;
}
