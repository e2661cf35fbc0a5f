// numpy's random numbers, number for number: Philox 4x64-10 with the ziggurat for the noise of a piece, and
// default_rng (SeedSequence, PCG64) for the phases in which a vocoder begins.
const M0 = [0xe14c6c93, 0xd2e7470e], M1 = [0x95121157, 0xca5a8263]; // low and high half
const W0 = [0x7f4a7c15, 0x9e3779b9], W1 = [0x84caa73b, 0xbb67ae85];
const CHUNK_FRAMES = 64;

/** The high half of a product of two 32-bit numbers: all parts fit a double's 53 bits. */
function high(a, b) {
  return Math.floor((a * (b >>> 16) + Math.floor((a * (b & 0xffff)) / 65536)) / 65536);
}

/** The 128-bit product of two 64-bit numbers, into out: [low 64 | high 64] as four 32-bit words. */
function product(low, top, constant, out) {
  const [b0, b1] = constant;
  const p00 = Math.imul(low, b0) >>> 0, h00 = high(low, b0), p01 = Math.imul(low, b1) >>> 0, h01 = high(low, b1);
  const p10 = Math.imul(top, b0) >>> 0, h10 = high(top, b0), p11 = Math.imul(top, b1) >>> 0, h11 = high(top, b1);
  const one = h00 + p01 + p10, two = Math.floor(one / 4294967296) + h01 + h10 + p11;
  out[0] = p00;
  out[1] = one >>> 0;
  out[2] = two >>> 0;
  out[3] = (Math.floor(two / 4294967296) + h11) >>> 0;
}

class Philox {
  /** key: BigInt; the last two words of the counter. */
  constructor(key, third, fourth) {
    this.key = Uint32Array.from([Number(key & 0xffffffffn), Number((key >> 32n) & 0xffffffffn), 0, 0]);
    this.counter = Uint32Array.from([0, 0, 0, 0, third, 0, fourth, 0]);
    this.words = new Uint32Array(8);
    this.place = 8;
    this.a = new Uint32Array(4);
    this.b = new Uint32Array(4);
  }
  next32() {
    if (this.place === 8) { this.block(); this.place = 0; }
    return this.words[this.place++];
  }
  block() {
    const { counter, words, a, b } = this, key = this.key.slice();
    if (++counter[0] === 0) counter[1]++;
    words.set(counter);
    for (let round = 0; round < 10; round++) {
      product(words[0], words[1], M0, a);
      product(words[4], words[5], M1, b);
      const w2 = words[2], w3 = words[3], w6 = words[6], w7 = words[7];
      words[0] = b[2] ^ w2 ^ key[0];
      words[1] = b[3] ^ w3 ^ key[1];
      words[2] = b[0];
      words[3] = b[1];
      words[4] = a[2] ^ w6 ^ key[2];
      words[5] = a[3] ^ w7 ^ key[3];
      words[6] = a[0];
      words[7] = a[1];
      for (const [at, step] of [[0, W0], [2, W1]]) {
        const low = key[at] + step[0];
        key[at] = low;
        key[at + 1] = key[at + 1] + step[1] + (low > 0xffffffff ? 1 : 0);
      }
    }
  }
  float() { return (this.next32() >>> 8) / 16777216; }
}

// Marsaglia and Tsang's ziggurat of 256 strips, in single precision.
const EDGE = 3.6541528853610088, AREA = 0.00492867323399141;
const KI = new Uint32Array(256), WI = new Float32Array(256), FI = new Float32Array(256);
{
  const scale = 2 ** 23, density = (x) => Math.exp(-0.5 * x * x);
  let x = EDGE, before = EDGE;
  const base = AREA / density(EDGE);
  KI[0] = (EDGE / base) * scale;
  KI[1] = 0;
  WI[0] = base / scale;
  WI[255] = EDGE / scale;
  FI[0] = 1;
  FI[255] = density(EDGE);
  for (let i = 254; i >= 1; i--) {
    x = Math.sqrt(-2 * Math.log(AREA / x + density(x)));
    KI[i + 1] = (x / before) * scale;
    before = x;
    FI[i] = density(x);
    WI[i] = x / scale;
  }
}

function normal(bits) {
  const { fround } = Math;
  for (;;) {
    const r = bits.next32(), strip = r & 0xff, whole = (r >>> 9) & 0x7fffff;
    const x = fround(whole * WI[strip]) * (r & 0x100 ? -1 : 1);
    if (whole < KI[strip]) return x;
    if (strip === 0) {
      for (;;) {
        const far = fround(-fround(1 / EDGE) * fround(Math.log1p(-bits.float()))), near = fround(-Math.log1p(-bits.float()));
        if (near + near > far * far) return (whole >>> 8) & 1 ? -(fround(EDGE) + far) : fround(EDGE) + far;
      }
    }
    if ((FI[strip - 1] - FI[strip]) * bits.float() + FI[strip] < Math.exp(-0.5 * x * x)) return x;
  }
}

export const PIECE = 0, BOUNDARY = 1; // streams of one seed, as generation/noise.py has them

/** The noise of a piece: (start, stop) -> unit noise, time-major [frames * bands]. seed: BigInt. */
export function seedNoise(bands, seed, stream = PIECE) {
  const kept = new Map();
  const chunk = (index) => {
    if (!kept.has(index)) {
      const bits = new Philox(seed, stream, index), frames = new Float32Array(CHUNK_FRAMES * bands);
      for (let band = 0; band < bands; band++)
        for (let frame = 0; frame < CHUNK_FRAMES; frame++) frames[frame * bands + band] = normal(bits);
      kept.set(index, frames);
      if (kept.size > 64) kept.delete(kept.keys().next().value);
    }
    return kept.get(index);
  };
  return (start, stop) => {
    const all = new Float32Array((stop - start) * bands);
    for (let index = Math.floor(start / CHUNK_FRAMES); index * CHUNK_FRAMES < stop; index++) {
      const first = Math.max(start, index * CHUNK_FRAMES), last = Math.min(stop, (index + 1) * CHUNK_FRAMES);
      const from = (first - index * CHUNK_FRAMES) * bands;
      all.set(chunk(index).subarray(from, from + (last - first) * bands), (first - start) * bands);
    }
    return all;
  };
}

/** On the great circle from one noise to the other: share(frame) is how far along, 0 to 1. */
export function between(bands, one, other, share) {
  return (start, stop) => {
    const near = one(start, stop), far = other(start, stop);
    for (let frame = start; frame < stop; frame++) {
      const along = Math.fround(share(frame));
      const a = along === 1 ? 0 : Math.fround(Math.cos((Math.PI / 2) * along));
      const b = along === 0 ? 0 : Math.fround(Math.sin((Math.PI / 2) * along));
      for (let at = (frame - start) * bands; at < (frame - start + 1) * bands; at++) near[at] = a * near[at] + b * far[at];
    }
    return near;
  };
}

export function repeating(bands, noise, period) {
  const once = noise(0, period);
  return (start, stop) => {
    const all = new Float32Array((stop - start) * bands);
    for (let frame = start; frame < stop; frame++) {
      const from = (frame % period) * bands;
      all.set(once.subarray(from, from + bands), (frame - start) * bands);
    }
    return all;
  };
}

/** The noise of a tune {seed, variation, toward, over}, as generation/noise.py has it. */
export function tuneNoise(bands, tune, frames, stream = PIECE) {
  const own = seedNoise(bands, tune.seed, stream);
  if (tune.variation === null && tune.toward === null) return own;
  const other = seedNoise(bands, tune.toward ?? (tune.seed + 1n) % 2n ** 64n, stream);
  const arrival = Math.max(1, frames);
  return between(bands, own, other, tune.variation === null ? (frame) => Math.min(frame / arrival, 1) : () => tune.variation);
}

const MASK32 = 0xffffffffn, MASK64 = 2n ** 64n - 1n, MASK128 = 2n ** 128n - 1n;

/** numpy's default_rng(seed).random(): doubles from 0 to 1. */
export function defaultRng(seed) {
  const pool = seedPool(seed);
  const [a, b, c, d] = pool; // 64-bit words
  const increment = ((((c << 64n) | d) << 1n) | 1n) & MASK128;
  const multiplier = 0x2360ed051fc65da44385df649fccf645n;
  let state = 0n;
  const step = () => { state = (state * multiplier + increment) & MASK128; };
  step();
  state = (state + ((a << 64n) | b)) & MASK128;
  step();
  return () => {
    step();
    const folded = ((state >> 64n) ^ state) & MASK64, turn = state >> 122n;
    const word = ((folded >> turn) | (folded << ((64n - turn) & 63n))) & MASK64;
    return Number(word >> 11n) / 9007199254740992;
  };
}

/** SeedSequence(seed).generate_state(4, uint64). */
function seedPool(seed) {
  const entropy = [];
  do { entropy.push(seed & MASK32); seed >>= 32n; } while (seed > 0n);
  let hash = 0x43b0d7e5n;
  const hashed = (value) => {
    value = (value ^ hash) & MASK32;
    hash = (hash * 0x931e8875n) & MASK32;
    value = (value * hash) & MASK32;
    return value ^ (value >> 16n);
  };
  const mixed = (x, y) => {
    const result = (((0xca01f9ddn * x) & MASK32) - ((0x4973f715n * y) & MASK32)) & MASK32;
    return result ^ (result >> 16n);
  };
  const pool = [0, 1, 2, 3].map((at) => hashed(entropy[at] ?? 0n));
  for (let from = 0; from < 4; from++)
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mixed(pool[to], hashed(pool[from]));
  const words = [];
  hash = 0x8b51f9ddn;
  for (let at = 0; at < 8; at++) {
    let value = (pool[at % 4] ^ hash) & MASK32;
    hash = (hash * 0x58f38dedn) & MASK32;
    value = (value * hash) & MASK32;
    words.push(value ^ (value >> 16n));
  }
  return [0, 2, 4, 6].map((at) => words[at] | (words[at + 1] << 32n));
}
