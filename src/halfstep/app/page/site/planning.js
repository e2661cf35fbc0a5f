// A plan that new music follows where nothing else leads it, as generation/planning.py has it: made window by window by a
// network of the model's own, in the key that is asked for.
import { guideOf, modulo } from "./guide.js";
import { tuneNoise } from "./noise.js";
import { bandLoop, roundEven } from "./pieces.js";
import { bandStream } from "./sampling.js";
import { strokeAt } from "./strokes.js";

/** A leader: places among the frames of a piece -> the guide there, [rows][places], or a promise of it. about: the plan's, with
 *  {kinds [{values, chords}], stream, tried, kept, sounds, notes, major, minor, plain}. sampler: of it.
 *  tune: {seed, variation, toward}. arrival: frames after which what is asked for is all there. key: or null. loop: frames of one,
 *  or null. */
export async function planned(about, sampler, tune, arrival, key, loop) {
  const made = (attempt) => planOf(about, sampler, tuneNoise(about.bands, tune, arrival, about.stream + attempt), loop);
  if (key === null) return await made(0);
  const tonic = (name) => about.notes.indexOf(name.replace(/m$/, "")), profile = key.endsWith("m") ? about.minor : about.major;
  let best = null, plainest = -Infinity;
  for (let attempt = 0; attempt < about.tried && plainest < about.plain; attempt++) {
    const leader = await made(attempt), { fit, own } = fitting(about, profile, await leader(Array.from({ length: about.frames }, (_, at) => at)));
    if (best === null || fit > plainest) [best, plainest] = [async (places) => turned(about, await leader(places), tonic(key) - own), fit];
  }
  return best;
}

/** A leader whose onsets are moved to the nearest sixteenth of a tempo. about: the model's, with {strokes {first, shapes, least},
 *  plan {parts, softest, louder, softened}}. struck: whether every beat is, and what lies between them is softened. */
export function onSixteenths({ guide_rows, sample_rate, hop_length, strokes, plan }, leader, tempo, struck) {
  const { first: row, shapes, least } = strokes, reach = shapes[0][0].length / 2, groups = shapes[0].length;
  const slot = (60 / tempo / plan.parts) * (sample_rate / hop_length);
  const peaks = shapes.map((phase) => phase.map((group) => Math.max(least, ...group)));
  return async (places) => {
    const guide = (await leader(places)).slice(), frames = places.map(Math.floor), most = Math.max(-1, ...frames);
    if (most < 0) return guide;
    const start = Math.max(0, Math.min(...frames)), stop = most + 1;
    const first = Math.max(0, Math.trunc((start - reach) / slot)), last = Math.trunc((stop + reach) / slot) + 1;
    const begin = Math.max(0, Math.trunc((first - 0.5) * slot)), end = Math.trunc((last + 0.5) * slot) + 1;
    const planned = await leader(Array.from({ length: end - begin }, (_, at) => begin + at)), width = planned.length / guide_rows;
    const rhythm = Array.from({ length: groups }, () => new Float64Array(stop - start));
    for (let number = first; number <= last; number++) {
      const [left, right] = [-0.5, 0.5].map((half) => Math.max(0, roundEven((number + half) * slot) - begin));
      const { phase, first: begins } = strokeAt(strokes, number * slot), place = begins - start;
      for (let group = 0; group < groups; group++) {
        const own = Math.max(...planned.subarray((row + group) * width + left, (row + group) * width + right));
        let strength = Math.max(0, Math.min(1, plan.louder * (own - plan.softest)));
        if (struck) strength = number % plan.parts === 0 ? 1 : plan.softened * strength;
        for (let frame = Math.max(0, place); frame < Math.min(stop - start, place + 2 * reach); frame++)
          rhythm[group][frame] = Math.max(rhythm[group][frame], (strength * shapes[phase][group][frame - place]) / peaks[phase][group]);
      }
    }
    for (let group = 0; group < groups; group++)
      frames.forEach((frame, at) => { guide[(row + group) * places.length + at] = frame < 0 ? 0 : rhythm[group][frame - start]; });
    return guide;
  };
}

async function planOf(about, sampler, noise, loop) {
  if (loop !== null) {
    const values = await bandLoop({ about, sampler }, noise, null, Math.max(1, roundEven(loop)), () => {});
    return guideOf(rowsOf(about, values), loop);
  }
  const blocks = bandStream(sampler, { noise, guide: null });
  let rows = rowsOf(about, (await blocks.next()).value), first = 0;
  return async (places) => {
    const last = Math.max(0, ...places), guide = new Float32Array(rows.length * places.length);
    while (first + rows[0].length <= last) {
      const forgotten = Math.max(0, rows[0].length - about.kept), more = rowsOf(about, (await blocks.next()).value);
      first += forgotten;
      rows = rows.map((row, at) => {
        const on = new Float32Array(row.length - forgotten + more[at].length);
        on.set(row.subarray(forgotten));
        on.set(more[at], row.length - forgotten);
        return on;
      });
    }
    places.forEach((place, at) => {
      if (place >= 0) rows.forEach((row, which) => { guide[which * places.length + at] = row[Math.floor(place) - first]; });
    });
    return guide;
  };
}

/** The rows of a guide, all of it given, of the values of a plan [frames * values]: audio/guide.py, from_plan. */
function rowsOf({ bands: width, kinds, sounds }, values) {
  const frames = values.length / width, rows = [];
  let first = 0;
  for (const { values: count, chords } of kinds) {
    const mine = Array.from({ length: count }, (_, which) =>
      Float32Array.from({ length: frames }, (_, frame) => Math.max(0, Math.min(1, values[frame * width + first + which])) ** 2));
    if (chords)
      for (let frame = 0; frame < frames; frame++) {
        const most = Math.max(...mine.map((row) => row[frame]));
        if (most > sounds) for (const row of mine) row[frame] /= most;
      }
    rows.push(...mine, new Float32Array(frames).fill(1));
    first += count;
  }
  return rows;
}

/** Where the twelve pitch classes stand among the rows. */
function classesOf(kinds) {
  let first = 0;
  for (const { values, chords } of kinds) {
    if (chords) return { first, count: values };
    first += values + 1;
  }
  throw new Error("a plan without chords has no key");
}

/** A guide, its pitch classes so many semitones up. */
function turned({ kinds }, guide, by) {
  const { first, count } = classesOf(kinds), places = guide.length / kinds.reduce((sum, { values }) => sum + values + 1, 0);
  const out = guide.slice();
  for (let note = 0; note < count; note++) {
    const from = (first + modulo(note - by, count)) * places;
    out.set(guide.subarray(from, from + places), (first + note) * places);
  }
  return out;
}

/** {own: the tonic of the key whose profile fits best how much of every pitch class sounds, fit: how well}: audio/chroma.py. */
function fitting({ kinds, notes }, profile, guide) {
  const { first, count } = classesOf(kinds), places = guide.length / kinds.reduce((sum, { values }) => sum + values + 1, 0);
  const sums = Array.from({ length: count }, (_, note) => guide.subarray((first + note) * places, (first + note + 1) * places).reduce((sum, one) => sum + one, 0));
  const fits = notes.map((_, tonic) => correlation(sums, profile.map((_, at) => profile[modulo(at - tonic, count)])));
  const own = fits.reduce((best, fit, at) => (fit > fits[best] ? at : best), 0);
  return { own, fit: fits[own] };
}

function correlation(one, other) {
  const centred = (values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return values.map((value) => value - mean);
  };
  const [a, b] = [centred(one), centred(other)], product = (x, y) => x.reduce((sum, value, at) => sum + value * y[at], 0);
  const scale = Math.sqrt(product(a, a) * product(b, b));
  return scale ? product(a, b) / scale : 0;
}
