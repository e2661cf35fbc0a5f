// Files: sound as WAV and FLAC of 16 bits, from one Int16Array a channel. FLAC as RFC 9639 has it.
const BLOCK = 4096;

class Bytes {
  constructor() { this.parts = []; this.length = 0; }
  push(bytes) { this.parts.push(bytes); this.length += bytes.length; }
  joined() {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of this.parts) { all.set(part, at); at += part.length; }
    return all;
  }
}

/** Whether a file is MIDI, by its name. */
export function isScore(file) { return /\.midi?$/i.test(file.name); }

/** loop: write that all of it repeats (chunk smpl). */
export function wav(channels, sampleRate, loop = false) {
  const count = channels[0].length, data = count * channels.length * 2, smpl = loop ? 68 : 0;
  const bytes = new Uint8Array(44 + data + smpl), view = new DataView(bytes.buffer);
  const text = (at, letters) => { for (let i = 0; i < 4; i++) bytes[at + i] = letters.charCodeAt(i); };
  text(0, "RIFF"); view.setUint32(4, bytes.length - 8, true); text(8, "WAVE"); text(12, "fmt ");
  view.setUint32(16, 16, true); view.setUint16(20, 1, true); view.setUint16(22, channels.length, true);
  view.setUint32(24, sampleRate, true); view.setUint32(28, sampleRate * channels.length * 2, true);
  view.setUint16(32, channels.length * 2, true); view.setUint16(34, 16, true);
  text(36, "data"); view.setUint32(40, data, true);
  let at = 44;
  for (let i = 0; i < count; i++) for (const channel of channels) { view.setInt16(at, channel[i], true); at += 2; }
  if (loop) {
    text(at, "smpl");
    const words = [60, 0, 0, Math.round(1e9 / sampleRate), 60, 0, 0, 0, 1, 0, 0, 0, 0, count - 1, 0, 0];
    words.forEach((word, i) => view.setUint32(at + 4 + 4 * i, word, true));
  }
  return new Blob([bytes], { type: "audio/wav" });
}

class Bits {
  constructor() { this.bytes = new Uint8Array(1 << 16); this.length = 0; this.held = 0; this.count = 0; }
  /** The lowest `bits` (at most 24) of a value. */
  put(value, bits) {
    while (bits > 0) {
      const take = Math.min(bits, 8 - this.count);
      this.held = (this.held << take) | ((value >>> (bits - take)) & ((1 << take) - 1));
      this.count += take;
      bits -= take;
      if (this.count === 8) this.byte();
    }
  }
  unary(zeros) {
    while (zeros >= 16) { this.put(0, 16); zeros -= 16; }
    this.put(1, zeros + 1);
  }
  byte() {
    if (this.length === this.bytes.length) {
      const more = new Uint8Array(this.bytes.length * 2);
      more.set(this.bytes);
      this.bytes = more;
    }
    this.bytes[this.length++] = this.held & 255;
    this.held = this.count = 0;
  }
  align() { if (this.count) this.put(0, 8 - this.count); }
}

function crc(bytes, length, bits, polynomial) {
  const top = 1 << (bits - 1), mask = (1 << bits) - 1;
  let value = 0;
  for (let i = 0; i < length; i++) {
    value ^= bytes[i] << (bits - 8);
    for (let bit = 0; bit < 8; bit++) value = (value & top ? (value << 1) ^ polynomial : value << 1) & mask;
  }
  return value;
}

/** The residual of the fixed predictor of an order, and the bits that Rice's code takes for it, with its parameter. */
function residual(samples, order) {
  const rest = Int32Array.from(samples);
  for (let pass = 0; pass < order; pass++) for (let i = rest.length - 1; i > pass; i--) rest[i] -= rest[i - 1];
  let sum = 0;
  for (let i = order; i < rest.length; i++) sum += Math.abs(rest[i]);
  const mean = sum / Math.max(1, rest.length - order);
  const parameter = Math.max(0, Math.min(14, Math.floor(Math.log2(mean * 1.386 + 1e-9)) + 1));
  let bits = 0;
  for (let i = order; i < rest.length; i++) bits += 1 + parameter + ((rest[i] << 1) ^ (rest[i] >> 31)) / 2 ** parameter;
  return { rest, order, parameter, bits };
}

function subframe(out, samples) {
  const first = samples[0];
  if (samples.every((one) => one === first)) {
    out.put(0, 8);
    out.put(first & 0xffff, 16);
    return;
  }
  let best = null;
  for (let order = 0; order <= Math.min(4, samples.length - 1); order++) {
    const one = residual(samples, order);
    if (!best || one.bits < best.bits) best = one;
  }
  out.put(0b00010000 | (best.order << 1), 8);
  for (let i = 0; i < best.order; i++) out.put(samples[i] & 0xffff, 16);
  out.put(0, 2); // Rice parameters of four bits
  out.put(0, 4); // one partition
  out.put(best.parameter, 4);
  for (let i = best.order; i < samples.length; i++) {
    const folded = ((best.rest[i] << 1) ^ (best.rest[i] >> 31)) >>> 0;
    out.unary(folded >>> best.parameter);
    if (best.parameter) out.put(folded & ((1 << best.parameter) - 1), best.parameter);
  }
}

function coded(number) {
  if (number < 0x80) return [number];
  const more = [];
  let first = 0x3f;
  while (number > first) { more.unshift(0x80 | (number & 0x3f)); number >>>= 6; first >>= 1; }
  return [((~first << 1) & 0xff) | number, ...more];
}

/** tags: {NAME: text}. */
export function flac(channels, sampleRate, tags = {}) {
  const count = channels[0].length, all = new Bytes();
  all.push(Uint8Array.from([0x66, 0x4c, 0x61, 0x43]));
  const info = new Uint8Array(38), view = new DataView(info.buffer);
  info[3] = 34;
  view.setUint16(4, BLOCK); view.setUint16(6, BLOCK);
  view.setUint32(14, (sampleRate << 12) | ((channels.length - 1) << 9) | (15 << 4) | 0);
  view.setUint32(18, count);
  all.push(info);
  const encode = (text) => new TextEncoder().encode(text);
  const texts = ["halfstep", ...Object.entries(tags).map(([name, text]) => `${name}=${text}`)].map(encode);
  const size = 4 + texts.reduce((sum, text) => sum + 4 + text.length, 0);
  const comment = new Uint8Array(4 + size), notes = new DataView(comment.buffer);
  notes.setUint32(0, size);
  comment[0] = 0x84;
  let at = 4;
  texts.forEach((text, number) => {
    notes.setUint32(at, text.length, true);
    comment.set(text, at + 4);
    at += 4 + text.length;
    if (number === 0) { notes.setUint32(at, texts.length - 1, true); at += 4; }
  });
  all.push(comment);
  for (let start = 0, number = 0; start < count; start += BLOCK, number++) {
    const length = Math.min(BLOCK, count - start), out = new Bits();
    for (const byte of [0xff, 0xf8, 0x70, ((channels.length - 1) << 4) | 0x08, ...coded(number)]) out.put(byte, 8);
    out.put(length - 1, 16);
    out.put(crc(out.bytes, out.length, 8, 0x07), 8);
    for (const channel of channels) subframe(out, channel.subarray(start, start + length));
    out.align();
    out.put(crc(out.bytes, out.length, 16, 0x8005), 16);
    all.push(out.bytes.slice(0, out.length));
  }
  return new Blob([all.joined()], { type: "audio/flac" });
}
