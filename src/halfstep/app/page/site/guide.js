// What music is to follow: a guide of a recording's log bands, as audio/guide.py and audio/chroma.py measure it, and a guide
// along a piece, as generation/guiding.py has it.
const CLASSES = 12;

/** Rows of the guide [frames] of log bands [frames * bands], `of` each kind its own: the values of the kind, and below them one
 *  of ones; zeros where it has none. Of the first frame everything sets in. `about.guide` has {kinds [name], chords, rhythm}. */
export function measuredGuide({ guide, mel: { bands: width } }, of) {
  const measures = { chords, rhythm }, frames = Math.max(...Object.values(of).map((bands) => bands.length / width));
  return guide.kinds.flatMap((kind, which) => of[kind]
    ? [...measures[kind](guide[kind], of[kind], width, frames), new Float64Array(frames).fill(1)]
    : Array.from({ length: guide.values[which] + 1 }, () => new Float64Array(frames)));
}

/** Of every pitch class, from A up: how much of it sounds, 1 for the strongest. */
function chords({ first, stop, semitones, range, reach, silent }, bands, width, frames) {
  const sums = Array.from({ length: CLASSES }, () => new Float64Array(frames));
  for (let frame = 0; frame < frames; frame++) {
    const levels = bands.subarray(frame * width, (frame + 1) * width), loudest = Math.max(...levels.subarray(first, stop));
    for (let band = first; band < stop; band++) {
      const left = levels[band - 1], middle = levels[band], right = levels[band + 1];
      if (!(middle > left && middle >= right && middle > loudest - range)) continue;
      const curvature = left - 2 * middle + right, offset = (left - right) / (2 * Math.min(curvature, -1e-12));
      const place = band + offset, below = Math.floor(place);
      const pitch = semitones[below] + (place - below) * (semitones[below + 1] - semitones[below]);
      const note = Math.floor(pitch), share = pitch - note, magnitude = Math.exp(middle - ((left - right) * offset) / 4);
      sums[modulo(note, CLASSES)][frame] += magnitude * (1 - share);
      sums[modulo(note + 1, CLASSES)][frame] += magnitude * share;
    }
  }
  const smooth = sums.map((row) => smoothed(row, reach)), most = (frame) => Math.max(...smooth.map((row) => row[frame]));
  const strongest = Float64Array.from({ length: frames }, (_, frame) => most(frame));
  const least = Math.max(silent * strongest.reduce((one, other) => Math.max(one, other), 0), 1e-12);
  return smooth.map((row) => row.map((value, frame) => value / Math.max(strongest[frame], least)));
}

/** Under Hann's bell, `reach` frames to each side; at the ends, the part of it that lies inside. */
function smoothed(row, reach) {
  const bell = Float64Array.from({ length: 2 * reach + 1 }, (_, at) => 0.5 - 0.5 * Math.cos((Math.PI * at) / reach));
  return row.map((_, frame) => {
    let sum = 0, within = 0;
    for (let at = Math.max(0, reach - frame); at < bell.length && frame + at - reach < row.length; at++) {
      sum += bell[at] * row[frame + at - reach];
      within += bell[at];
    }
    return sum / within;
  });
}

/** What sets in of each group of bands, 0 to 1. */
function rhythm({ edges, range, least, strong }, bands, width, frames) {
  return [0, ...edges].map((begin, group) => {
    const end = edges[group] ?? width, rises = new Float64Array(frames);
    let top = -Infinity;
    for (let at = 0; at < bands.length; at++) if (at % width >= begin && at % width < end) top = Math.max(top, bands[at]);
    for (let frame = 1; frame < frames && end > begin; frame++) {
      for (let band = begin; band < end; band++) {
        const now = Math.max(bands[frame * width + band], top - range), before = Math.max(bands[(frame - 1) * width + band], top - range);
        rises[frame] += Math.max(now - before - least, 0) / (end - begin);
      }
    }
    return shares(rises, strong, least);
  });
}

/** Of the strongest onsets, 1 at most. */
export function shares(row, strong, least) {
  const sorted = row.slice().sort(), place = strong * (row.length - 1), low = Math.floor(place);
  const most = Math.max(sorted[low] + (place - low) * (sorted[Math.min(low + 1, row.length - 1)] - sorted[low]), least);
  return row.map((one) => Math.min(one / most, 1));
}

/** Places among the frames of a piece -> the guide there, [rows][places]. rows: a guide's, which begins again after so many
 *  frames. */
export function guideOf(rows, frames) {
  return (places) => {
    const guide = new Float32Array(rows.length * places.length), last = rows[0].length - 1;
    places.forEach((place, at) => {
      if (place < 0) return; // before it begins there is nothing to follow
      const nearest = Math.min(Math.floor(place % frames), last);
      rows.forEach((row, which) => { guide[which * places.length + at] = row[nearest]; });
    });
    return guide;
  };
}

/** Guides of different kinds as one; null for none. */
export function together(guides) {
  const all = guides.filter((one) => one !== null);
  if (!all.length) return null;
  return (places) => all.map((guide) => guide(places)).reduce((sum, one) => sum.map((value, at) => value + one[at]));
}

/** The guide of the frames of a canvas from a piece's frame `first` on: (start, stop) -> [rows][stop - start]. */
export function following(guide, first = 0) {
  return guide && ((start, stop) => guide(Array.from({ length: stop - start }, (_, at) => start + at + first)));
}

/** The guide of a loop's frames, whose place 0 is at frame `first`, each `step` of the guide's frames. */
export function around(guide, first, period, step) {
  return guide && ((start, stop) => guide(Array.from({ length: stop - start }, (_, at) => modulo(start + at - first, period) * step)));
}

export function modulo(value, by) { return ((value % by) + by) % by; }
