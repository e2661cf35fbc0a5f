// Strokes that lead music to a tempo or a density: generation/strokes.py has the same, and measures their shapes.
import { guideOf, shares } from "./guide.js";

/** Places among the frames of a piece -> the guide there, [rows][places]. tempo, density: null for none; accents: how strong each
 *  is, and again. `about.strokes` has {first, shapes [phases][groups][frames], strong, least, gaps, strokes}. */
export function strokesOf({ strokes, guide_rows, sample_rate, hop_length }, tempo, density, accents = [1]) {
  const { rows, frames } = laid(strokes, gaps(strokes, tempo, density), sample_rate / hop_length, accents);
  const whole = Array.from({ length: guide_rows }, () => new Float64Array(rows[0].length));
  rows.forEach((row, group) => { whole[strokes.first + group] = row; });
  whole[strokes.first + rows.length].fill(1);
  return guideOf(whole, frames);
}

/** Seconds from each stroke to the next. */
function gaps(strokes, tempo, density) {
  if (tempo === null) return strokes.gaps.map((gap) => gap / density);
  const parts = density === null ? 1 : Math.max(1, Math.floor((density * 60) / tempo + 0.5));
  return new Array(strokes.strokes * parts).fill(60 / tempo / parts);
}

/** Of a stroke at a place among frames: its phase, and the first frame of its shape. */
export function strokeAt({ shapes }, place) {
  const phases = shapes.length, part = Math.floor(place * phases + 0.5);
  return { phase: part % phases, first: Math.floor(part / phases) - shapes[0][0].length / 2 };
}

/** {rows [groups][frames], frames: after how many it begins again}. */
function laid({ shapes, strong, least }, seconds, rate, accents) {
  const places = [0];
  let end = 0;
  for (const gap of seconds) places.push((end += gap) * rate);
  const frames = places.at(-1), rows = shapes[0].map(() => new Float64Array(Math.ceil(frames)));
  const strength = new Float64Array(rows[0].length);
  for (const [number, place] of places.entries()) {
    const { phase, first } = strokeAt({ shapes }, place);
    shapes[phase].forEach((shape, group) => shape.forEach((value, at) => {
      const frame = first + at;
      if (frame < 0 || frame >= strength.length) return;
      rows[group][frame] = Math.max(rows[group][frame], value);
      strength[frame] = Math.max(strength[frame], accents[number % accents.length]);
    }));
  }
  return { rows: rows.map((row) => shares(row, strong, least).map((one, at) => one * strength[at])), frames };
}
