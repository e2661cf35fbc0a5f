// Strokes that lead music to a tempo or a density: generation/strokes.py has the same, and measures their shapes.
const TEMPO = "tempo", DENSITY = "density";

/** Places among the frames of a piece -> the guide there, [rows][places]; null where nothing of the kind is asked.
 *  `about.strokes` has {names, rows, first, shapes [phases][groups][frames], strong, least, gaps, strokes}. */
export function led(about, asked) {
  const { strokes, sample_rate, hop_length } = about;
  const wanted = (strokes?.names ?? []).filter((name) => asked[name] !== undefined);
  if (!wanted.length) return null;
  const number = (name) => (wanted.includes(name) ? Number(asked[name]) : null);
  const { rows, frames } = laid(strokes, gaps(strokes, number(TEMPO), number(DENSITY)), sample_rate / hop_length);
  return (places) => {
    const guide = new Float32Array(strokes.rows * places.length), last = rows[0].length - 1;
    places.forEach((place, at) => {
      if (place < 0) return; // before it begins there is nothing to follow
      const nearest = Math.min(Math.floor(place % frames), last);
      rows.forEach((row, group) => { guide[(strokes.first + group) * places.length + at] = row[nearest]; });
      guide[(strokes.first + rows.length) * places.length + at] = 1;
    });
    return guide;
  };
}

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

/** Of the strongest onsets, 1 at most: audio/guide.py. */
function shares(row, strong, least) {
  const sorted = row.slice().sort(), place = strong * (row.length - 1), low = Math.floor(place);
  const most = Math.max(sorted[low] + (place - low) * (sorted[Math.min(low + 1, row.length - 1)] - sorted[low]), least);
  return row.map((one) => Math.min(one / most, 1));
}

/** The guide of the frames of a canvas from a piece's frame `first` on: (start, stop) -> [rows][stop - start]. */
export function following(guide, first = 0) {
  return guide && ((start, stop) => guide(Array.from({ length: stop - start }, (_, at) => start + at + first)));
}

/** The guide of a loop's frames, whose place 0 is at frame `first`, each `step` of the guide's frames. */
export function around(guide, first, period, step) {
  return guide && ((start, stop) =>
    guide(Array.from({ length: stop - start }, (_, at) => ((((start + at - first) % period) + period) % period) * step)));
}
