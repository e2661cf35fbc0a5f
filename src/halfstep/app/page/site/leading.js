// What leads a piece where no recording does: strokes, and chords, asked for or drawn from its seed. generation/guiding.py has
// the same.
import { together } from "./guide.js";
import { chordsOf, Progression } from "./harmony.js";
import { strokesOf } from "./strokes.js";

const TEMPO = "tempo", DENSITY = "density", KEY = "key", FREE = "free";

/** Of what is asked for, the names of that which leads to it. */
export function ledTo({ led }, asked) { return led.filter((name) => asked[name] !== undefined); }

/** Places among the frames of a piece -> the guide there, [rows][places]; null where nothing leads. `about` has {led: names that
 *  can be asked for, drawn: those that are drawn}. piece: {seed, beside: whether it stands beside a recording, loop: its seconds, or
 *  null}. */
export function leader(about, asked, { seed, beside, loop }) {
  const { drawn, harmony, sample_rate, hop_length } = about, wanted = ledTo(about, asked), rate = sample_rate / hop_length;
  const number = (name) => (wanted.includes(name) ? Number(asked[name]) : null), density = number(DENSITY);
  let tempo = number(TEMPO), chords = null;
  const label = wanted.includes(KEY) ? asked[KEY] : null, draws = drawn.includes(KEY) && label !== FREE && !beside;
  if (draws || (label !== null && label !== FREE)) {
    const progression = new Progression(harmony, label, seed);
    if (draws && drawn.includes(TEMPO) && tempo === null && density === null) tempo = fitting(harmony, progression.tempo, loop);
    let frames = (tempo === null ? harmony.seconds : (harmony.beats * 60) / tempo) * rate, count = null;
    if (loop !== null) {
      const whole = Math.round(loop * sample_rate) / hop_length;
      count = Math.max(1, Math.round(whole / frames));
      frames = whole / count;
    }
    chords = chordsOf(about, progression, frames, count);
  }
  return together([tempo === null && density === null ? null : strokesOf(about, tempo, density), chords]);
}

/** A drawn tempo; of a loop the nearest at which whole chords go round, or none where that is another pace. */
function fitting({ beats, stretched }, tempo, loop) {
  if (loop === null) return tempo;
  const near = (beats * Math.max(1, Math.round((loop * tempo) / 60 / beats)) * 60) / loop;
  return near / tempo >= 1 / stretched && near / tempo <= stretched ? near : null;
}
