// Chords that lead music along: generation/harmony.py has the same, and says how likely each follows each.
import { modulo } from "./guide.js";
import { defaultRng } from "./noise.js";

/** Chords without end: number -> {root, kind}. key: null for the one that the seed draws. `harmony` has {keys, notes, slowest,
 *  fastest, phrase, passage, played, major, minor}, of either mode {chords, follow, last}. */
export class Progression {
  passages = [];
  constructor(harmony, key, seed) {
    this.harmony = harmony;
    this.random = defaultRng(seed);
    const drawn = harmony.keys[Math.floor(harmony.keys.length * this.random())];
    this.tempo = harmony.slowest * (harmony.fastest / harmony.slowest) ** this.random();
    this.key = key ?? drawn;
    this.mode = this.key.endsWith("m") ? harmony.minor : harmony.major;
    this.tonic = harmony.notes.indexOf(this.key.replace(/m$/, ""));
  }
  chord(number) {
    const { passage, played, notes } = this.harmony, which = Math.floor(number / (passage * played));
    while (this.passages.length <= which) this.passages.push(this.drawn());
    const [root, kind] = this.mode.chords[this.passages[which][number % passage]];
    return { root: (this.tonic + root) % notes.length, kind };
  }
  drawn() {
    const { passage, phrase } = this.harmony, drawn = [];
    for (let place = 0; place < passage; place++)
      drawn.push(place % phrase === 0 ? 0 : this.one(place === passage - 1 ? this.mode.last : this.mode.follow[drawn.at(-1)]));
    return drawn;
  }
  one(chances) {
    let rest = this.random();
    for (const [which, chance] of chances.entries()) if ((rest -= chance) < 0) return which;
    return chances.findLastIndex((chance) => chance > 0);
  }
}

/** Chords by their names, as audio/chord_names.py reads them: {root, kind} each. Error for what is none. */
export function named({ notes, shapes, most }, text) {
  const names = text.split(/[\s,|-]+/).filter((name) => name);
  if (!names.length || names.length > most) throw new Error(`chords: ${names.length}: 1 to ${most} were expected, such as Am F C G`);
  return names.map((name) => {
    const [, note, sign, kind] = /^([A-G])([#b]?)(.*)$/.exec(name) ?? [];
    if (!Object.hasOwn(shapes, kind)) throw new Error(`chords: '${name}' is no chord: A to G, with # or b, then nothing or ${Object.keys(shapes).filter((one) => one).join(", ")}`);
    return { root: modulo(notes.indexOf(note) + { "#": 1, b: -1, "": 0 }[sign], notes.length), kind };
  });
}

/** Places among the frames of a piece -> the guide there, [rows][places]. chordAt: number -> chord, each for so many frames, and
 *  after `count` of them the first again. */
export function chordsOf({ harmony, guide_rows }, chordAt, chordFrames, count = null) {
  const { shapes, reach, first } = harmony;
  return (places) => {
    const guide = new Float32Array(guide_rows * places.length);
    places.forEach((place, at) => {
      if (place < 0) return;
      const number = Math.floor(place / chordFrames), past = place - number * chordFrames, left = chordFrames - past;
      const near = Math.max(0, Math.min(1, Math.min(past, left) / reach)), share = 0.5 + near / 2 + Math.sin(Math.PI * near) / (2 * Math.PI);
      const other = past < left ? number - 1 : number + 1;
      const [own, next] = [number, other].map((one) => chordAt(count === null ? Math.max(0, one) : modulo(one, count)));
      const row = shapes[own.kind].map((_, note) => share * shaped(shapes, own, note) + (1 - share) * shaped(shapes, next, note));
      const most = Math.max(...row);
      row.forEach((value, note) => { guide[(first + note) * places.length + at] = value / most; });
      guide[(first + row.length) * places.length + at] = 1;
    });
    return guide;
  };
}

function shaped(shapes, { root, kind }, note) { return shapes[kind][modulo(note - root, shapes[kind].length)]; }
