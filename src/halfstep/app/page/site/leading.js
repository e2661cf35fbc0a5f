// What leads a piece where no recording does: a plan, or strokes and chords, asked for or drawn from its seed.
// generation/guiding.py has the same.
import { course } from "./conditions.js";
import { together } from "./guide.js";
import { chordsOf, named, Progression } from "./harmony.js";
import { onSixteenths } from "./planning.js";
import { strokesOf } from "./strokes.js";

const TEMPO = "tempo", DENSITY = "density", KEY = "key", CHORDS = "chords", FREE = "free";

/** Of what is asked for, the names of that which leads to it. */
export function guidedTo({ guided }, asked) { return guided.filter((name) => asked[name] !== undefined); }

/** Places among the frames of a piece -> the guide there, [rows][places], or a promise of it; null where nothing leads. `about` has
 *  {guided: names that can be asked for, drawn: those that are drawn}. piece: {seed, beside: whether it stands beside a recording,
 *  loop: its seconds, or null}. plan: key or null -> the leader of a plan, of a model that makes some. */
export function leader(about, asked, { seed, beside, loop }, plan = null) {
  const { drawn, harmony, sample_rate, hop_length } = about, wanted = guidedTo(about, asked), rate = sample_rate / hop_length;
  const number = (name) => (wanted.includes(name) ? Number(asked[name]) : null), density = number(DENSITY);
  const label = wanted.includes(KEY) ? asked[KEY] : null, draws = drawn.includes(KEY) && label !== FREE && !beside;
  if (wanted.includes(KEY) && wanted.includes(CHORDS)) throw new Error("key: chords have a key of their own; leave one of the two out");
  const progression = harmony && new Progression(harmony, label === FREE ? null : label, seed);
  let tempo = number(TEMPO), chords = null;
  const drawsTempo = draws && drawn.includes(TEMPO) && tempo === null && density === null && !mostly(about.beatless, about, asked);
  if (drawsTempo) tempo = fitting(harmony, progression.tempo, loop);
  if (plan && !beside && density === null && !wanted.includes(CHORDS) && label !== FREE && !mostly(about.unplanned, about, asked)) {
    const planned = plan(about.guide.kinds.includes(CHORDS) ? label : null);
    return tempo === null ? planned : planned.then((one) => onSixteenths(about, one, tempo, !drawsTempo));
  }
  const laid = (chordAt, whole) => {
    let frames = (tempo === null ? harmony.seconds : (harmony.beats * 60) / tempo) * rate, count = null;
    if (loop !== null) {
      const all = Math.round(loop * sample_rate) / hop_length;
      count = whole * Math.max(1, Math.round(all / frames / whole));
      frames = all / count;
    }
    return chordsOf(about, chordAt, frames, count);
  };
  if (wanted.includes(CHORDS)) {
    const all = named(harmony, asked[CHORDS]);
    chords = laid((which) => all[which % all.length], all.length);
  } else if (draws || (label !== null && label !== FREE)) chords = laid((which) => progression.chord(which), 1);
  return together([tempo === null && density === null ? null : strokesOf(about, tempo, density, drawsTempo ? about.strokes.accents : [1]), chords]);
}

/** Whether more than half of what is asked for at first are some labels. */
function mostly(some, { conditions, guided }, asked) {
  const labels = conditions.filter(({ name }) => !guided.includes(name)).flatMap(({ values }) => values.map(String));
  const weights = course(conditions, asked, guided).at(0);
  return labels.reduce((sum, label, at) => sum + (some.includes(label) ? weights[at] : 0), 0) > 0.5;
}

/** A drawn tempo; of a loop the nearest at which whole chords go round, or none where that is another pace. */
function fitting({ beats, stretched }, tempo, loop) {
  if (loop === null) return tempo;
  const near = (beats * Math.max(1, Math.round((loop * tempo) / 60 / beats)) * 60) / loop;
  return near / tempo >= 1 / stretched && near / tempo <= stretched ? near : null;
}
