// The transform of real frames under a Hann window, scaled as audio/stft.py scales it: a complex one of half the size.

export class RealFft {
  /** window: samples of a frame, in the middle of `size`. */
  constructor(size, window = size) {
    const half = size / 2;
    Object.assign(this, { size, half, window });
    this.hann = new Float32Array(size);
    for (let i = 0; i < window; i++) this.hann[(size - window) / 2 + i] = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window);
    this.cos = Float64Array.from({ length: half + 1 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sin = Float64Array.from({ length: half + 1 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    this.re = new Float64Array(half);
    this.im = new Float64Array(half);
    this.out = new Float32Array(size);
    this.reversed = new Uint32Array(half);
    const bits = Math.log2(half);
    for (let i = 0; i < half; i++) {
      let turned = 0;
      for (let bit = 0; bit < bits; bit++) if (i & (1 << bit)) turned |= 1 << (bits - 1 - bit);
      this.reversed[i] = turned;
    }
  }

  /** In place, of the `half` complex numbers in re and im, which are in bit-reversed order. */
  complex() {
    const { re, im, half, cos, sin } = this;
    for (let span = 1; span < half; span *= 2) {
      const step = half / span; // of the table, whose turn is of `size`
      for (let at = 0; at < half; at += 2 * span) {
        for (let i = 0, turn = 0; i < span; i++, turn += step) {
          const c = cos[turn], s = -sin[turn], a = at + i, b = a + span;
          const tr = re[b] * c - im[b] * s, ti = re[b] * s + im[b] * c;
          re[b] = re[a] - tr;
          im[b] = im[a] - ti;
          re[a] += tr;
          im[a] += ti;
        }
      }
    }
  }

  /** The windowed spectrum of `size` samples from a place on. */
  forward(samples, from, real, imag) {
    const { re, im, half, hann, reversed, cos, sin } = this;
    for (let i = 0; i < half; i++) {
      re[reversed[i]] = samples[from + 2 * i] * hann[2 * i];
      im[reversed[i]] = samples[from + 2 * i + 1] * hann[2 * i + 1];
    }
    this.complex();
    for (let k = 0; k <= half; k++) {
      const a = k % half, b = (half - k) % half;
      const er = (re[a] + re[b]) / 2, ei = (im[a] - im[b]) / 2, or = (im[a] + im[b]) / 2, oi = (re[b] - re[a]) / 2;
      real[k] = er + or * cos[k] + oi * sin[k];
      imag[k] = ei + oi * cos[k] - or * sin[k];
    }
  }

  /** The `size` samples of a spectrum that begins at a place; valid until the next call. */
  inverse(real, imag, from) {
    const { re, im, half, size, reversed, cos, sin, out } = this;
    for (let k = 0; k < half; k++) {
      const a = from + k, b = from + half - k;
      const ai = k ? imag[a] : 0, bi = k ? imag[b] : 0; // the lines at 0 and at half the rate are real
      const er = (real[a] + real[b]) / 2, ei = (ai - bi) / 2, dr = (real[a] - real[b]) / 2, di = (ai + bi) / 2;
      const or = dr * cos[k] - di * sin[k], oi = dr * sin[k] + di * cos[k];
      // The inverse is the forward transform with both parts exchanged.
      im[reversed[k]] = er - oi;
      re[reversed[k]] = ei + or;
    }
    this.complex();
    for (let i = 0; i < half; i++) {
      out[2 * i] = im[i] / half;
      out[2 * i + 1] = re[i] / half;
    }
    return out;
  }
}
