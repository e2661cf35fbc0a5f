// Pieces with an end: loops (generation/loops.py), and what a recording is continued with or closed by
// (generation/continuation.py, sides.py). A recording comes at the model's rate: browsers decode to any.
// Rows (bands, and an image below them) are time-major: [frames * rows]; a width of `about.bands` is that of rows.
import { RealFft } from "./fft.js";
import { around, guideOf, measuredGuide } from "./guide.js";
import { joined, stretched } from "./joining.js";
import { tones } from "./midi.js";
import { repeating } from "./noise.js";
import { bandStream, filled } from "./sampling.js";
import { concatenated, parted } from "./stereo.js";
import { limit } from "./vocoder.js";

const WRAP_FRAMES = 64, MATCHED_SECONDS = 2, MOST_MATCHED = 1.4, SILENT_NEPERS = 9, CANCELLED = 0.1, EDGE = 64;

/** One period of exactly `count` samples. parts: {about, sampler, vocoder}; guide: places of it -> what it follows, or
 *  null; progress: called with shares. */
export async function loop({ about, sampler, vocoder }, noise, guide, count, progress) {
  const frames = roundEven(count / about.hop_length);
  const bands = await bandLoop({ about, sampler }, noise, guide, frames, (share) => progress(0.7 * share));
  const period = await vocoder.around(await period_of(vocoder, bands, about, progress), bands);
  return period.map((channel) => stretched(channel, 1, count).map((one) => limit(one)));
}

/** One period of so many frames of bands. */
export async function bandLoop({ about, sampler }, noise, guide, frames, progress) {
  const { bands, grain, frames: settled, crossfade } = about;
  const period = Math.max(1, roundEven(frames / grain)) * grain, wrap = Math.min(crossfade, period);
  const needed = settled + period + wrap, canvas = {
    noise: repeating(bands, noise, period), guide: around(guide, settled + Math.floor(wrap / 2), period, frames / period),
  };
  const whole = await firstFrames(bandStream(sampler, canvas), needed, bands, progress);
  const once = whole.slice(settled * bands, (settled + period) * bands);
  const crossfaded = wrap < crossfade ? await sampler.graphs.of(`crossfaded-${wrap}`) : sampler.graphs.crossfaded;
  const { joined: wrapped } = await crossfaded({ old: whole.slice((settled + period) * bands), new: once.slice(0, wrap * bands) });
  once.set(wrapped);
  // The wrap stands in the middle of what passes over.
  const turned = new Float32Array(once.length), by = Math.floor(wrap / 2) * bands;
  turned.set(once.subarray(by));
  turned.set(once.subarray(0, by), once.length - by);
  return stretched(turned, bands, frames);
}

/** `count` samples from the beginning of a canvas on. */
export async function piece({ about, sampler, vocoder }, canvas, count, progress) {
  const sound = [];
  let have = 0;
  for await (const block of bandStream(sampler, canvas)) {
    sound.push(await vocoder.push(block));
    have += sound.at(-1)[0].length;
    progress(Math.min(1, have / count));
    if (have >= count) break;
  }
  return whole(sound).map((channel) => channel.slice(0, count));
}

/** The guide of a recording [channels][n], which goes round: what sets in with it sets in after its end. */
export async function followed(parts, recording) {
  const { about } = parts, { hop_length: hop, mel: { bands: width } } = about, { context } = await sideOf(parts, recording);
  const bands = await bandsOf(parts, context), turned = concatenated([bands.subarray(-width), bands]);
  const rows = measuredGuide(about, { chords: turned, rhythm: turned }).map((row) => row.subarray(1));
  expectSound(about, rows);
  return guideOf(rows, Math.min(context.length / hop, bands.length / width));
}

/** The guide of a score {notes, seconds}, which goes round; its drums have no chords. */
export async function played(parts, { notes, seconds: length }) {
  const { about } = parts, { guide, sample_rate: rate, hop_length: hop } = about, { tones: as } = guide, of = {};
  const around = notes.filter(({ start }) => start < as.round).map((note) => ({ ...note, start: note.start + length, end: note.end + length }));
  const all = [...notes, ...around], wanted = { chords: all.filter(({ drum }) => !drum), rhythm: all };
  for (const kind of guide.kinds) if (wanted[kind].length) of[kind] = await bandsOf(parts, tones(wanted[kind], length + as.round, rate, as));
  if (!Object.keys(of).length) throw new Error(`drums alone, and the model follows ${guide.kinds.join(" and ")}; give one with notes`);
  const rows = measuredGuide(about, of);
  expectSound(about, rows);
  return guideOf(rows, (length * rate) / hop);
}

function expectSound({ guide }, rows) {
  let at = 0;
  const nothing = guide.values.every((values) => {
    const mine = rows.slice(at, at + values);
    at += values + 1;
    return mine.every((row) => row.every((value) => value === 0));
  });
  if (nothing) throw new Error("silent: nothing of it can be followed");
}

/** One period of the mid of rows that repeat: a stream of them goes on past its end, and that passes into how it began. */
async function period_of(vocoder, bands, about, progress) {
  const hop = about.hop_length, width = about.bands, frames = bands.length / width;
  const over = Math.min(WRAP_FRAMES, Math.floor(frames / 2)), begin = WRAP_FRAMES * hop, size = frames * hop, lap = over * hop;
  const sound = [];
  for (let have = 0, block = 0; have < begin + size + lap; block++) {
    const part = await vocoder.mid.push(parted(about, at(bands, width, block * vocoder.block, vocoder.block)).bands);
    sound.push(part);
    have += part.length;
    progress(0.7 + 0.3 * Math.min(1, have / (begin + size + lap)));
  }
  const all = concatenated(sound), period = all.slice(begin, begin + size);
  period.set(joined(all.slice(begin + size, begin + size + lap), all.slice(begin, begin + lap)));
  // It begins with the frame after those that were left out.
  const turned = new Float32Array(size), by = begin % size;
  turned.set(period.subarray(0, size - by), by);
  turned.set(period.subarray(size - by));
  return turned;
}

/** `frames` frames from a place on of bands that repeat. */
function at(bands, width, place, frames) {
  const out = new Float32Array(frames * width), count = bands.length / width;
  for (let frame = 0; frame < frames; frame++) {
    const from = ((place + frame) % count) * width;
    out.set(bands.subarray(from, from + width), frame * width);
  }
  return out;
}

/** The recording [channels][n], its very end crossfaded, then `count` new samples. */
export async function continued(parts, canvas, recording, count, progress) {
  const { about, sampler, vocoder } = parts, { bands, hop_length: hop, sample_rate: rate, crossfade } = about;
  const tail = recording.map((channel) => channel.slice(-tailSamples(about, about.overlap) - EDGE)), length = tail[0].length;
  const side = await sideOf(parts, tail), known = await knownEnd(parts, side.pair);
  const place = known.end - crossfade * hop, border = known.end - known.begin, some = Math.min(count, MATCHED_SECONDS * rate);
  const needed = length - known.begin + count;
  const stream = bandStream(sampler, { ...canvas, before: known.bands });
  // The vocoder runs over the known frames too, so that it is in full swing where its sound begins.
  const sound = [await vocoder.unlimited(known.bands.slice(0, known.bands.length - crossfade * bands))];
  for (let have = sound[0][0].length; have < Math.max(needed, border + some); progress(Math.min(1, have / needed))) {
    const part = await vocoder.unlimited((await stream.next()).value);
    sound.push(part);
    have += part[0].length;
  }
  const { mid, own } = spread(whole(sound), recording.length);
  const gain = matched(side.gain, side.context.subarray(Math.max(0, known.end - some), known.end), mid.subarray(border, border + some));
  return recording.map((channel, which) => {
    const old = tail[which].slice(place), whole = new Float32Array(channel.length + count);
    const level = (own ? 1 : side.shared[which]) * Math.exp(gain);
    const music = (own ? own[which] : mid).slice(place - known.begin, needed).map((one) => limit(one * level, 1));
    whole.set(channel);
    whole.set(joined(old, music.slice(0, old.length)), channel.length - old.length);
    whole.set(music.subarray(old.length), channel.length);
    return whole;
  });
}

/** The recording [channels][n], then `count` new samples that lead back into it. */
export async function closed(parts, canvas, recording, count, progress) {
  const { about, sampler, vocoder } = parts, { hop_length: hop, sample_rate: rate, crossfade, overlap } = about;
  const size = tailSamples(about, overlap + 1) + EDGE, total = recording[0].length;
  const tail = recording.map((channel) => channel.slice(-size)), head = recording.map((channel) => channel.slice(0, size));
  const last = await sideOf(parts, tail), next = await sideOf(parts, head), cut = tail[0].length;
  const known = await knownEnd(parts, last.pair), begins = cut + count - known.end;
  const gap = Math.ceil((begins + about.mel.lead) / hop);
  const after = await knownStart(parts, next.pair.map((one) => one.subarray(0, tailSamples(about, overlap + 1))), gap * hop - begins);
  const rows = await filled(sampler, { ...canvas, before: known.bands, frames: gap, after }, (share) => progress(0.8 * share));
  const needed = cut + count + after.length / about.bands * hop - known.begin, sound = [await vocoder.unlimited(rows)];
  const silence = silent(about, vocoder.block, rows);
  for (let have = sound[0][0].length; have < needed; ) {
    sound.push(await vocoder.unlimited(silence));
    have += sound.at(-1)[0].length;
  }
  const { mid, own } = spread(whole(sound), recording.length), opens = known.end - known.begin, some = MATCHED_SECONDS * rate;
  const fresh = mid.subarray(opens, opens + begins);
  const opened = matched(last.gain, last.context.subarray(Math.max(0, known.end - some), known.end), fresh.subarray(0, some));
  const ended = matched(next.gain, next.context.subarray(0, some), fresh.subarray(-some));
  const begin = known.end - crossfade * hop, end = Math.min(head[0].length, (gap + crossfade) * hop - begins);
  if (total - (cut - begin) < end) throw new Error(`the recording to loop: at least ${seconds(cut - begin + end, about)} s are needed`);
  return recording.map((channel, which) => {
    const made = own ? own[which] : mid, [from, to] = own ? [1, 1] : [last.shared[which], next.shared[which]];
    const placed = (place) => {
      const share = Math.max(0, Math.min(1, (place - cut) / count)), shared = from + share * (to - from);
      return limit((made[place - known.begin] ?? 0) * shared * Math.exp(opened + share * (ended - opened)), 1);
    };
    const music = Float32Array.from({ length: cut + count + end - begin }, (_, i) => placed(begin + i));
    const all = new Float32Array(total + count), opening = cut - begin;
    all.set(channel);
    all.set(joined(tail[which].slice(begin), music.slice(0, opening)), total - opening);
    all.set(music.subarray(opening, opening + count), total);
    // The file begins where the recording does: with what the end of the new music has passed into.
    all.set(joined(music.slice(opening + count), head[which].slice(0, end)));
    return all;
  });
}

/** New sound [channels][n] for a recording of so many: its mid, and the channels that it keeps where both have two. */
function spread(made, channels) {
  const mid = made.length > 1 ? made[0].map((one, at) => (one + made[1][at]) / 2) : made[0];
  return { mid, own: made.length > 1 && channels === 2 ? made : null };
}

/** Rows of no sound, with the image of the last of others. */
function silent(about, frames, others) {
  const rows = new Float32Array(frames * about.bands).fill(about.floor), image = others.slice(about.mel.bands - about.bands);
  if (about.bands > about.mel.bands) for (let frame = 1; frame <= frames; frame++) rows.set(image, frame * about.bands - image.length);
  return rows;
}

/** One channel of a side of a recording, at the level of the model's training music, and as many as the model has (`pair`);
 * and the way back: nepers, and how much of it each channel has. */
async function sideOf(parts, channels) {
  const { about } = parts, count = channels.length, length = channels[0].length;
  const covariance = channels.map((one) => channels.map((other) => one.reduce((sum, value, at) => sum + value * other[at], 0) / Math.max(1, length)));
  let weights = channels.map(() => 1 / count);
  const mixed = () => weights.map((_, one) => weights.reduce((sum, weight, other) => sum + covariance[one][other] * weight, 0));
  const powerOf = (row) => row.reduce((sum, value, at) => sum + weights[at] * value, 0);
  const apart = covariance.reduce((sum, row, at) => sum + row[at] / count ** 2, 0);
  if (powerOf(mixed()) < CANCELLED * apart) {
    const strongest = covariance.reduce((best, row, at) => (row[at] > covariance[best][best] ? at : best), 0);
    weights = weights.map((weight, at) => (covariance[strongest][at] < 0 ? -weight : weight));
  }
  const row = mixed(), power = powerOf(row);
  const context = new Float32Array(length);
  channels.forEach((channel, at) => channel.forEach((value, place) => { context[place] += weights[at] * value; }));
  let gain = 0;
  for (let round = 0; round < 2; round++) // what lay below the floor at first counts once it is brought up
    gain += about.level - levelOf(await bandsOf(parts, context.map((one) => one * Math.exp(gain))), about);
  if (gain >= SILENT_NEPERS) gain = 0;
  const louder = (one) => one * Math.exp(gain), mono = context.map(louder), { mel } = about;
  const both = count === 2 ? channels.map((one, at) => one.map((value) => (weights[at] < 0 ? -1 : 1) * louder(value))) : [mono, mono];
  return { context: mono, pair: mel.channels === 2 ? both : [mono], gain: -gain, shared: row.map((value) => (power > 0 ? value / power : 1)) };
}

function levelOf(logBands, { mel: { bands }, band_width_hz }) {
  const frames = logBands.length / bands, mean = new Float64Array(bands);
  for (let at = 0; at < logBands.length; at++) mean[at % bands] += logBands[at] / frames;
  return 0.5 * Math.log(mean.reduce((sum, value, band) => sum + band_width_hz[band] * Math.exp(2 * value), 0));
}

/** The gain, nepers, with which new sound has the power of what stands beside it. */
function matched(gain, context, fresh) {
  const powers = [context, fresh].map((part) => (part.length ? part.reduce((sum, value) => sum + value * value, 0) / part.length : 0));
  if (Math.min(...powers) <= Math.exp(-2 * SILENT_NEPERS) * Math.max(...powers)) return gain;
  return gain + Math.max(-MOST_MATCHED, Math.min(MOST_MATCHED, 0.5 * Math.log(powers[0] / powers[1])));
}

const leadHops = ({ mel, hop_length }) => Math.ceil(mel.lead / hop_length);
const tailSamples = (about, frames) => (leadHops(about) + frames) * about.hop_length + about.mel.lead;

/** The frames of a recording's end whose whole window lies in it, and the samples where they begin and end. */
async function knownEnd(parts, tail) {
  const { about } = parts, hop = about.hop_length, first = leadHops(about), end = Math.floor((tail[0].length - about.mel.lead) / hop);
  expectFrames(end - first, about);
  const bands = (await analysed(parts, tail)).slice(first * about.bands, end * about.bands);
  return { bands, begin: first * hop, end: end * hop };
}

/** The frames of a recording's beginning, the first of them at its sample `start`. */
async function knownStart(parts, head, start) {
  const { about } = parts, hop = about.hop_length, lead = leadHops(about), before = lead * hop - start;
  const padded = head.map((channel) => {
    const all = new Float32Array(channel.length + before);
    all.set(channel.subarray(Math.max(0, -before)), Math.max(0, before));
    return all;
  });
  const frames = Math.min(about.overlap, Math.floor((padded[0].length - about.mel.lead) / hop) - lead);
  expectFrames(frames, about);
  const rows = await analysed(parts, padded.map((one) => one.slice(0, (lead + frames) * hop + about.mel.lead)));
  return rows.slice(lead * about.bands, (lead + frames) * about.bands);
}

function expectFrames(frames, about) {
  const least = 2 * about.crossfade;
  if (frames < least) throw new Error(`the recording is too short: at least ${seconds(tailSamples(about, least) + about.hop_length, about)} s are needed`);
}

/** Rows of a signal of the model's channels, zeros outside it: their log-bands, or those of two's mid and their image. */
async function analysed(parts, channels) {
  const { about } = parts, { bands: width, mel } = about;
  if (channels.length === 1) return await bandsOf(parts, channels[0]);
  const bands = await bandsOf(parts, channels[0].map((one, at) => (one + channels[1][at]) / 2)), image = await imageOf(parts, channels);
  const frames = bands.length / mel.bands, below = width - mel.bands, rows = new Float32Array(frames * width);
  for (let frame = 0; frame < frames; frame++) {
    rows.set(bands.subarray(frame * mel.bands, (frame + 1) * mel.bands), frame * width);
    rows.set(image.subarray(frame * below, (frame + 1) * below), frame * width + mel.bands);
  }
  return rows;
}

/** Log-bands of a signal: audio/mel.py. */
function bandsOf({ about, sampler }, samples) {
  return inBlocks(about, [samples], about.mel.bands, async ([{ real, imag }]) => {
    const magnitude = real.map((one, bin) => Math.hypot(one, imag[bin]));
    return (await sampler.graphs.analysed({ magnitude })).bands;
  });
}

/** The image of two signals: audio/image.py. */
function imageOf({ about, sampler }, pair) {
  return inBlocks(about, pair, about.bands - about.mel.bands, async ([left, right]) => {
    const product = (one, other) => one.real.map((value, bin) => value * other.real[bin] + one.imag[bin] * other.imag[bin]);
    const of = { of_left: product(left, left), of_right: product(right, right), of_both: product(left, right) };
    return (await sampler.graphs.imaged(of)).image;
  });
}

/** What becomes of the spectra of signals, some frames at once: [frames * width]. */
async function inBlocks(about, signals, width, becomes) {
  const { n_fft, window, lead } = about.mel, { hop_length: hop, spectra_at_once: atOnce } = about;
  const fft = new RealFft(n_fft, window), bins = n_fft / 2 + 1, frames = Math.ceil(signals[0].length / hop);
  const margin = (n_fft - window) / 2 + lead, padded = signals.map((samples) => {
    const all = new Float32Array(frames * hop + 2 * margin + n_fft);
    all.set(samples, margin);
    return all;
  });
  const all = new Float32Array(frames * width);
  for (let start = 0; start < frames; start += atOnce) {
    const count = Math.min(atOnce, frames - start), spectra = padded.map((samples) => {
      const real = new Float32Array(atOnce * bins), imag = new Float32Array(atOnce * bins);
      for (let frame = 0; frame < count; frame++)
        fft.forward(samples, (start + frame) * hop, real.subarray(frame * bins), imag.subarray(frame * bins));
      return { real, imag };
    });
    all.set((await becomes(spectra)).subarray(0, count * width), start * width);
  }
  return all;
}

async function firstFrames(blocks, count, bands, progress) {
  const parts = [];
  for (let have = 0; have < count; progress(Math.min(1, have / count))) {
    const part = (await blocks.next()).value;
    parts.push(part);
    have += part.length / bands;
  }
  return concatenated(parts).slice(0, count * bands);
}

/** Blocks [channels][n] one after the other. */
function whole(blocks) { return blocks[0].map((_, which) => concatenated(blocks.map((block) => block[which]))); }

function seconds(samples, about) { return (Math.ceil((samples / about.sample_rate) * 10) / 10).toFixed(1); }

/** To the nearest whole number, halves to the even one: as Python does. */
export function roundEven(value) {
  const low = Math.floor(value), rest = value - low;
  return rest < 0.5 || (rest === 0.5 && low % 2 === 0) ? low : low + 1;
}
