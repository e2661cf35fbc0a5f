// Music that this browser makes itself, in a worker: the same to the page as music that a server makes.
const AHEAD = 6; // seconds made before they are heard
const SLOW = 1.15; // seconds of music a second, below which it cannot keep up
const WARMED = 6; // blocks: the first ones are slower

export class BrowserSource {
  async models() {
    const answer = await fetch("site.json");
    if (!answer.ok) throw new Error("site.json is missing: write the site again with halfstep page");
    this.site = await answer.json();
    this.worker = new Worker("maker.js", { type: "module" });
    this.worker.onmessage = ({ data }) => {
      if (data.warm) document.documentElement.dataset.warm = "yes";
      else this.playing?.hear(data);
    };
    this.worker.onerror = () => this.playing?.hear({ id: this.playing.id, error: "this browser cannot run the networks" });
    this.worker.postMessage({ warm: true, about: this.site.models[0] });
    // Once it was here, the site works offline; and, isolated from other pages, on several threads.
    navigator.serviceWorker?.register("offline.js").catch(() => {});
    return this.site.models;
  }

  open(asked, on) {
    const about = this.site.models.find((model) => model.id === asked.model) ?? this.site.models[0];
    const tune = {
      seed: asked.seed ?? String(crypto.getRandomValues(new Uint32Array(1))[0]), steps: asked.steps ?? about.default_steps,
      variation: asked.variation ?? null, toward: asked.toward ?? null, over: Number(asked.over ?? 120), at: Number(asked.at ?? 0),
    };
    const id = (this.count = (this.count ?? 0) + 1), { worker } = this;
    let blocks = 0, made = 0, spent = 0, closed = false;
    on.status("loading the model");
    const state = {
      id,
      hear(data) {
        if (closed || data.id !== id) return;
        if (data.error) {
          closed = true;
          on.ended(data.error);
          return;
        }
        if (!blocks) on.hello({ ...tune, model: about.id, own: false, channels: 1, lowest: -11.5, highest: 6.5,
          sample_rate: about.sample_rate, hop_length: about.hop_length, bands: about.bands, band_hz: about.band_hz });
        blocks++;
        const seconds = (data.frames * about.hop_length) / about.sample_rate;
        if (blocks > WARMED) {
          made += seconds;
          spent += data.took;
          if (made > about.window_seconds) on.speed(made / spent, made / spent < SLOW);
        }
        on.block(data.frame, data.int16, data.levels, data.bands);
        pull();
      },
    };
    const pull = () => {
      if (closed) return;
      if (on.left() < AHEAD) worker.postMessage({ pull: true, id });
      else setTimeout(pull, 100);
    };
    this.playing = state;
    worker.postMessage({ open: tune, about, id });
    return { close() { closed = true; } };
  }
}
