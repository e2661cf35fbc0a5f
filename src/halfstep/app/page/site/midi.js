// MIDI files: their notes in seconds (audio/files/midi.py), and the tones that measures of sound read them by (audio/tones.py).
import { seedNoise } from "./noise.js";

const MOST_BYTES = 4 << 20, MOST_SECONDS = 600, MOST_NOTES = 100_000, MOST_SOUNDING = 20_000; // seconds, of all notes together
const PERCUSSION = 9, USUAL_TEMPO = 500_000; // microseconds a beat

/** {notes [{start, end, pitch, velocity, drum}], seconds} of the bytes of a file. */
export function readMidi(bytes) {
  if (bytes.length > MOST_BYTES) throw new Error(`more than ${MOST_BYTES >> 20} MB of MIDI; cut it`);
  let events;
  try {
    events = merged(bytes);
  } catch (error) {
    throw new Error(`not a MIDI file that can be read (${error.message})`);
  }
  const seconds = events.length ? events.at(-1).at : 0, sounding = new Map(), notes = [];
  if (!(seconds <= MOST_SECONDS)) throw new Error(`${Math.round(seconds)} s of MIDI, at most ${MOST_SECONDS} can be followed here; cut it`);
  const ended = (key, at) => {
    const note = sounding.get(key);
    if (note) notes.push({ ...note, end: at });
    sounding.delete(key);
  };
  for (const { at, kind, channel, pitch, velocity } of events) {
    if (kind !== 0x80 && kind !== 0x90) continue;
    const key = channel * 128 + pitch;
    ended(key, at);
    if (kind === 0x90 && velocity) sounding.set(key, { start: at, pitch, velocity, drum: channel === PERCUSSION });
    if (notes.length > MOST_NOTES) throw new Error(`more than ${MOST_NOTES} notes; cut it`);
  }
  for (const key of [...sounding.keys()]) ended(key, seconds);
  if (!notes.length) throw new Error("no notes in it");
  if (notes.reduce((sum, { start, end }) => sum + end - start, 0) > MOST_SOUNDING) throw new Error(`its notes last ${MOST_SOUNDING} s and more, all together; cut it`);
  return { notes: notes.sort((one, other) => one.start - other.start || one.pitch - other.pitch), seconds };
}

/** The messages of all tracks in the order of their times, `at` in seconds; the last one is the end. */
function merged(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const name = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (name(0) !== "MThd") throw new Error("it does not begin with MThd");
  const head = view.getUint32(4), format = view.getUint16(8), tracks = view.getUint16(10), division = view.getInt16(12);
  if (division <= 0) throw new Error("its time is counted in frames of film, not in beats");
  if (format === 2) throw new Error("its tracks are songs of their own");
  const all = [];
  let end = 0;
  for (let at = 8 + head, track = 0; track < tracks; track++) {
    if (name(at) !== "MTrk") throw new Error("a track is missing");
    const size = view.getUint32(at + 4), { messages, ticks } = read(view, at + 8, at + 8 + size);
    all.push(...messages);
    end = Math.max(end, ticks);
    at += 8 + size;
  }
  all.sort((one, other) => one.ticks - other.ticks);
  let ticks = 0, now = 0, tempo = USUAL_TEMPO;
  return [...all, { ticks: end, kind: 0 }].map((message) => {
    now += ((message.ticks - ticks) * tempo) / 1e6 / division;
    ticks = message.ticks;
    tempo = message.tempo ?? tempo;
    return { ...message, at: now };
  });
}

/** One track: its notes and changes of tempo, and where it ends. */
function read(view, at, end) {
  const messages = [];
  let ticks = 0, status = 0;
  const length = () => {
    let value = 0, byte;
    do {
      byte = view.getUint8(at++);
      value = value * 128 + (byte & 127);
    } while (byte & 128);
    return value;
  };
  while (at < end) {
    ticks += length();
    if (view.getUint8(at) & 128) status = view.getUint8(at++);
    else if (!(status & 128)) throw new Error("a message has no kind");
    if (status === 0xff) {
      const kind = view.getUint8(at++), size = length();
      if (kind === 0x51) messages.push({ ticks, kind: 0, tempo: (view.getUint16(at) << 8) | view.getUint8(at + 2) });
      at += size;
      if (kind === 0x2f) break;
    } else if (status === 0xf0 || status === 0xf7) at += length();
    else {
      const kind = status & 0xf0, pitch = view.getUint8(at) & 127, velocity = kind === 0xc0 || kind === 0xd0 ? 0 : view.getUint8(at + 1) & 127;
      messages.push({ ticks, kind, channel: status & 15, pitch, velocity });
      at += kind === 0xc0 || kind === 0xd0 ? 1 : 2;
    }
  }
  return { messages, ticks };
}

/** `seconds` of notes as plain sound: struck tones of a few harmonics, and three kinds of drums. as: what a model's site says. */
export function tones(notes, seconds, rate, as) {
  const sound = new Float64Array(Math.round(seconds * rate)), noise = seedNoise(1, 0n)(0, Math.round(as.drum_seconds * rate) + 2);
  for (const note of notes) {
    const length = note.drum ? as.drum_seconds : Math.max(note.end - note.start, as.release) + as.release;
    const from = Math.max(0, Math.round(note.start * rate)), to = Math.min(sound.length, Math.round((note.start + length) * rate));
    const voice = note.drum ? drum(note, noise, rate, as) : tone(note, length, rate, as), loud = (note.velocity / 127) ** 2;
    for (let at = from; at < to; at++) sound[at] += loud * voice(Math.max(0, at / rate - note.start));
  }
  return Float32Array.from(sound);
}

/** sum of cos(k x) / k, by Clenshaw's recurrence in cos x. */
function tone({ pitch }, length, rate, { harmonics, attack, release, struck, held, a_hz: aHz, a_note: aNote }) {
  const hz = aHz * 2 ** ((pitch - aNote) / 12), few = Math.min(harmonics, Math.floor(rate / 2 / hz));
  return (t) => {
    const x = Math.cos(2 * Math.PI * hz * t);
    let one = 0, two = 0;
    for (let k = few; k >= 1; k--) [one, two] = [1 / k + 2 * x * one - two, one];
    const ends = Math.min(1, t / attack) * Math.max(0, Math.min(1, (length - t) / release));
    return (x * one - two) * ends * (held + (1 - held) * Math.exp(-t / struck));
  };
}

function drum({ pitch }, noise, rate, { attack, drum_seconds: seconds, low, high, low_hz: lowHz }) {
  const at = (t) => Math.min(Math.round(t * rate), noise.length - 2);
  if (low.includes(pitch)) return (t) => 2 * Math.sin(2 * Math.PI * lowHz * t) * Math.exp(-t / 0.08) * Math.min(1, t / attack) * Math.max(0, Math.min(1, (seconds - t) / (seconds / 2)));
  if (high.includes(pitch)) return (t) => (noise[at(t) + 1] - noise[at(t)]) * Math.exp(-t / 0.03);
  return (t) => noise[at(t)] * Math.exp(-t / 0.05);
}
