// Music that this browser makes itself, in a worker: the same to the page as music that a server makes.
import { isScore, wav } from "./files.js";

const AHEAD = 6; // seconds made before they are heard
const SLOW = 1.15; // seconds of music a second, below which it cannot keep up
const WARMED = 6; // blocks: the first ones are slower
const MOST_SECONDS = 600, MOST_BYTES = 64 << 20; // of a recording, and of what is made
const LEAST_LOOP = 0.5;

export class BrowserSource {
  restyles = false; // that a server does alone
  count = 0;
  waiting = new Map(); // number of a piece -> what hears of it

  async models() {
    const answer = await fetch("site.json");
    if (!answer.ok) throw new Error("site.json is missing: write the site again with halfstep page");
    this.site = await answer.json();
    this.worker = new Worker("maker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.warm) document.documentElement.dataset.warm = "yes";
      else this.waiting.get(data.id)?.(data);
    };
    this.worker.onerror = () => {
      for (const [id, hear] of [...this.waiting]) hear({ id, error: "this browser cannot run the networks" });
    };
    this.worker.postMessage({ warm: true, about: this.site.models[0] });
    // Once it was here, the site works offline; and, isolated from other pages, on several threads.
    navigator.serviceWorker?.register("offline.js").catch(() => {});
    return this.site.models;
  }

  about(asked) { return this.site.models.find((model) => model.id === asked.model) ?? this.site.models[0]; }

  open(asked, on) {
    const about = this.about(asked), { worker, waiting } = this, id = ++this.count;
    const tune = {
      seed: asked.seed ?? String(crypto.getRandomValues(new Uint32Array(1))[0]), steps: asked.steps ?? about.default_steps,
      variation: asked.variation ?? null, toward: asked.toward ?? null, over: Number(asked.over ?? 120), at: Number(asked.at ?? 0), asked: askedOf(about, asked),
    };
    let blocks = 0, made = 0, spent = 0, closed = false;
    const close = () => { closed = true; waiting.delete(id); };
    const pull = () => {
      if (closed) return;
      if (on.left() < AHEAD) worker.postMessage({ pull: true, id });
      else setTimeout(pull, 100);
    };
    on.status("loading the model");
    waiting.set(id, (data) => {
      if (data.error) {
        close();
        on.ended(data.error);
        return;
      }
      if (!blocks) on.hello({ ...tune, model: about.id, own: false, channels: about.mel.channels, lowest: -11.5, highest: 6.5,
        sample_rate: about.sample_rate, hop_length: about.hop_length, bands: about.mel.bands, band_hz: about.band_hz });
      blocks++;
      const seconds = (data.frames * about.hop_length) / about.sample_rate;
      if (blocks > WARMED) {
        made += seconds;
        spent += data.took;
        if (made > about.window_seconds) on.speed(made / spent, made / spent < SLOW, data.place);
      }
      on.block(data.frame, data.int16, data.levels, data.bands);
      pull();
    });
    worker.postMessage({ open: tune, about, id });
    return { close };
  }

  /** A file: kind is loops, continuations or guided. `progress` is called with a share. */
  async make(kind, asked, file, progress, signal) {
    if (kind === "restylings") throw new Error("restyling needs a server: halfstep serve");
    const about = this.about(asked), rate = about.sample_rate, { worker, waiting } = this, id = ++this.count;
    const length = asked.bars ? (asked.bars * asked.beats * 60) / asked.bpm : Number(asked.seconds);
    if (!(length >= LEAST_LOOP && length <= MOST_SECONDS)) throw new Error(`${LEAST_LOOP} to ${MOST_SECONDS} seconds were expected`);
    const score = kind === "guided" && isScore(file) ? new Uint8Array(await file.arrayBuffer()) : null;
    const recording = file && !score ? await decoded(file, rate) : null;
    const tune = { seed: asked.seed, steps: asked.steps, variation: asked.variation ?? null, loop: asked.loop ?? false, asked: askedOf(about, { ...asked, tempo: asked.tempo ?? asked.bpm }) };
    const began = performance.now(), loops = kind === "loops" || tune.loop;
    const channels = await new Promise((done, fail) => {
      signal.addEventListener("abort", () => { worker.postMessage({ cancel: true, id }); fail(new Error("cancelled")); }, { once: true });
      waiting.set(id, (data) => {
        if (data.error) fail(new Error(data.error));
        else if (data.channels) done(data.channels);
        else progress(data.progress || null, data.progress ? ((performance.now() - began) / 1000) * (1 / data.progress - 1) : null);
      });
      worker.postMessage({ make: kind, id, about, tune, count: Math.round(length * rate), recording, score });
    }).finally(() => waiting.delete(id));
    // As on the command line: what is new alone is scaled so that 1 is the highest number, a recording keeps its samples.
    const scale = file && kind !== "guided" ? 32768 : 32767;
    const whole = channels.map((one) => Int16Array.from(one, (value) => Math.max(-32768, Math.min(32767, Math.round(value * scale)))));
    return wav(whole, rate, loops);
  }
}

/** Of what is asked for that which is the model's own: name -> text. */
function askedOf({ conditions }, asked) {
  return Object.fromEntries(conditions.map(({ name }) => [name, asked[name] ?? null]).filter(([, value]) => value !== null));
}

/** A recording as the browser decodes it: channels [n] at a rate. */
async function decoded(file, rate) {
  if (file.size > MOST_BYTES) throw new Error(`the file is too large: at most ${MOST_BYTES >> 20} MiB`);
  let sound;
  try {
    sound = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error("not readable as sound");
  }
  if (sound.duration > MOST_SECONDS) throw new Error(`the recording is too long: at most ${MOST_SECONDS} s`);
  return Array.from({ length: sound.numberOfChannels }, (_, channel) => sound.getChannelData(channel).slice());
}
