// What a model can be asked for and the vector that its network sees of it, as conditioning.py has them: text such as
// `piano:2,strings`, `piano..strings` or `96`.
const DRIFT = "..", AMONG = ",", WEIGHT = ":", NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** {drifts, at(share of the way, 0 to 1) -> weights of all conditions that the network sees}. asked: name -> text.
 *  guided: names of those that it does not see, which lead the music (strokes.js). Error for what is not known. */
export function course(conditions, asked, guided = []) {
  const weights = (one) => {
    const what = asked[one.name], parts = String(what ?? "").split(DRIFT);
    if (what === undefined) return [new Float32Array(one.values.length)];
    if (parts.length > 1 && guided.includes(one.name)) throw new Error(`${one.name} ${what}: strokes or chords lead to it, which do not drift; give one`);
    return parts.map((part) => READERS[one.kind](one, part));
  };
  const all = conditions.map((one) => [one.name, weights(one)]);
  const stops = all.filter(([name]) => !guided.includes(name)).map(([, weights]) => weights);
  return {
    drifts: stops.some((all) => all.length > 1),
    at: (share) => Float32Array.from(stops.flatMap((all) => [...along(all, share)])),
  };
}

const READERS = {
  label({ name, values }, text) {
    const weights = new Float32Array(values.length);
    for (const part of text.split(AMONG)) {
      const cut = part.indexOf(WEIGHT), label = (cut < 0 ? part : part.slice(0, cut)).trim();
      const weight = cut < 0 ? 1 : number(name, part.slice(cut + 1));
      if (!values.includes(label)) throw new Error(`${name} '${label}': not known; it is of ${values.join(", ")}`);
      if (!(weight > 0 && weight < Infinity)) throw new Error(`${name} ${label}:${weight}: a weight above 0 was expected`);
      weights[values.indexOf(label)] += weight;
    }
    const sum = Math.fround(weights.reduce((all, one) => all + one, 0));
    return weights.map((one) => one / sum);
  },
  number({ name, values, unit }, text) {
    const value = number(name, text), last = values.length - 1;
    if (!(value >= values[0] && value <= values[last]))
      throw new Error(`${name} ${value}: a number ${`from ${values[0]} to ${values[last]} ${unit}`.trimEnd()} was expected`);
    const above = Math.max(1, values.findIndex((one) => one >= value)), share = (value - values[above - 1]) / (values[above] - values[above - 1]);
    return Float32Array.from(values, (_, at) => (at === above ? share : at === above - 1 ? 1 - share : 0));
  },
  chords(_, text) { return text; }, // harmony.js reads them
};

function number(name, text) {
  if (!NUMBER.test(text)) throw new Error(`${name} '${text}': a number was expected`);
  return Number(text);
}

/** Evenly from one stop to the next. */
function along(stops, share) {
  if (stops.length === 1) return stops[0];
  const place = Math.min(Math.max(share, 0), 1) * (stops.length - 1), first = Math.min(Math.floor(place), stops.length - 2);
  const rest = Math.fround(place - first);
  return stops[first].map((one, at) => (1 - rest) * one + rest * stops[first + 1][at]);
}
