// Strokes that lead music to a tempo or a density: generation/strokes.py has the same, and measures their shapes.
import { guideOf, shares } from "./guide.js";

const TEMPO = "tempo", DENSITY = "density";

/** Places among the frames of a piece -> the guide there, [rows][places]; null where nothing of the kind is asked.
 *  `about.strokes` has {names, rows, first, shapes [phases][groups][frames], strong, least, gaps, strokes}. */
export function led(about, asked) {
  const { strokes, sample_rate, hop_length } = about, wanted = strokesAsked(about, asked);
  if (!wanted.length) return null;
  const number = (name) => (wanted.includes(name) ? Number(asked[name]) : null);
  const { rows, frames } = laid(strokes, gaps(strokes, number(TEMPO), number(DENSITY)), sample_rate / hop_length);
  const whole = Array.from({ length: strokes.rows }, () => new Float64Array(rows[0].length));
  rows.forEach((row, group) => { whole[strokes.first + group] = row; });
  whole[strokes.first + rows.length].fill(1);
  return guideOf(whole, frames);
}

/** Of what is asked for, the names of that which strokes lead to. */
export function strokesAsked({ strokes }, asked) { return (strokes?.names ?? []).filter((name) => asked[name] !== undefined); }

/** Seconds from each stroke to the next. */
function gaps(strokes, tempo, density) {
  if (tempo === null) return strokes.gaps.map((gap) => gap / density);
  const parts = density === null ? 1 : Math.max(1, Math.floor((density * 60) / tempo + 0.5));
  return new Array(strokes.strokes * parts).fill(60 / tempo / parts);
}

/** {rows [groups][frames], frames: after how many it begins again}. */
function laid({ shapes, strong, least }, seconds, rate) {
  const places = [0], phases = shapes.length, reach = shapes[0][0].length / 2;
  let end = 0;
  for (const gap of seconds) places.push((end += gap) * rate);
  const frames = places.at(-1), rows = shapes[0].map(() => new Float64Array(Math.ceil(frames)));
  for (const place of places) {
    const part = Math.floor(place * phases + 0.5), first = Math.floor(part / phases) - reach;
    shapes[part % phases].forEach((shape, group) => shape.forEach((value, at) => {
      const frame = first + at;
      if (frame >= 0 && frame < rows[group].length) rows[group][frame] = Math.max(rows[group][frame], value);
    }));
  }
  return { rows: rows.map((row) => shares(row, strong, least)), frames };
}
