// The picture: every frame's bands as one column, scrolling under a line that is now.
import { colourTable } from "./colours.js";

const PIXELS_A_FRAME = 1; // in the page's own pixels
const SHOWN_DECIBELS = 78;

export class Spectrogram {
  constructor(canvas, pitches) {
    this.canvas = canvas;
    this.pitches = pitches;
    this.columns = new Map(); // frame -> levels, lowest band first
    this.loudest = 140;
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    this.strip = document.createElement("canvas");
    new ResizeObserver(() => this.resize()).observe(canvas);
    this.setTheme();
  }

  /** What a stream says of its blocks. */
  begin(hello) {
    this.hello = hello;
    this.columns.clear();
    this.drawn = null;
    this.loudest = 140;
    this.levelsADecibel = 255 / ((hello.highest - hello.lowest) * 8.686);
    this.label();
  }

  /** Levels of some frames: Uint8Array [frames * bands], from a frame on. */
  push(frame, levels, bands) {
    const count = levels.length / bands;
    for (let at = 0; at < count; at++) {
      const column = levels.subarray(at * bands, (at + 1) * bands);
      this.columns.set(frame + at, column);
      for (const level of column) if (level > this.loudest) this.loudest = level;
    }
    const oldest = frame - 4000;
    if (this.columns.size > 6000) for (const key of this.columns.keys()) if (key < oldest) this.columns.delete(key);
  }

  setTheme() {
    const ground = getComputedStyle(this.canvas.parentElement).getPropertyValue("--picture").trim();
    this.light = ground.startsWith("#f");
    this.table = colourTable(this.light);
    this.drawn = null;
  }

  resize() {
    const ratio = Math.min(2, devicePixelRatio || 1);
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.drawn = null;
    if (this.hello) this.label();
  }

  /** At the frame that sounds now. */
  draw(frame) {
    const { canvas, hello } = this, context = canvas.getContext("2d");
    if (!hello || !canvas.width) return;
    const width = Math.ceil(canvas.clientWidth / PIXELS_A_FRAME);
    const ahead = Math.round(width * (this.still.matches ? 0 : 0.22));
    let first, now;
    if (this.still.matches) { // pages that turn, and nothing that moves but the line
      first = Math.floor(frame / width) * width;
      now = frame - first;
    } else {
      first = frame - (width - ahead);
      now = width - ahead;
    }
    const begin = Math.floor(first), scale = canvas.width / width;
    this.paint(begin, width + 1, hello.bands);
    context.imageSmoothingEnabled = true;
    context.globalAlpha = 1;
    context.drawImage(this.strip, (begin - first) * scale, 0, (width + 1) * scale, canvas.height);
    const ink = getComputedStyle(canvas).getPropertyValue("--picture");
    context.globalAlpha = 0.55;
    context.fillStyle = ink;
    if (!this.still.matches) context.fillRect(now * scale, 0, canvas.width, canvas.height);
    context.globalAlpha = 0.9;
    context.fillStyle = getComputedStyle(canvas).getPropertyValue("--accent");
    context.fillRect(now * scale - 0.75 * scale, 0, 1.5 * scale, canvas.height);
    context.globalAlpha = 1;
  }

  /** Frames [begin, begin + count) into the strip: the part that is new is coloured, the rest is moved. */
  paint(begin, count, bands) {
    const { strip } = this, context = strip.getContext("2d", { willReadFrequently: true });
    let from = begin;
    if (strip.width !== count || strip.height !== bands) { strip.width = count; strip.height = bands; this.drawn = null; }
    if (this.drawn && begin >= this.drawn.begin && begin < this.drawn.begin + count && this.drawn.scale === this.loudest) {
      const moved = begin - this.drawn.begin;
      if (moved) {
        context.globalCompositeOperation = "copy";
        context.drawImage(strip, -moved, 0);
        context.globalCompositeOperation = "source-over";
      }
      from = Math.max(begin, Math.min(this.drawn.whole, begin + count));
    }
    const pixels = context.createImageData(Math.max(1, begin + count - from), bands);
    const lowest = this.loudest - SHOWN_DECIBELS * this.levelsADecibel;
    const factor = 255 / (this.loudest - lowest);
    let whole = from, unbroken = true;
    for (let frame = from; frame < begin + count; frame++) {
      const column = this.columns.get(frame);
      if (!column) unbroken = false; else if (unbroken) whole = frame + 1;
      for (let band = 0; band < bands; band++) {
        const level = column ? Math.max(0, Math.min(255, Math.round((column[band] - lowest) * factor))) : 0;
        const at = ((bands - 1 - band) * pixels.width + frame - from) * 4;
        for (let part = 0; part < 4; part++) pixels.data[at + part] = this.table[level * 4 + part];
      }
    }
    if (from < begin + count) context.putImageData(pixels, from - begin, 0);
    this.drawn = { begin, whole, scale: this.loudest };
  }

  /** Pitches along the side. */
  label() {
    const centres = this.hello.band_hz, height = this.canvas.clientHeight;
    this.pitches.replaceChildren();
    let last = -Infinity;
    for (const hz of [50, 100, 200, 500, 1000, 2000, 5000, 10000]) {
      const band = centres.findIndex((centre) => centre >= hz);
      if (band < 0) continue;
      const place = ((band + 0.5) / centres.length) * height;
      if (place - last < 26 || place > height - 14) continue;
      last = place;
      const mark = document.createElement("span");
      mark.textContent = hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`;
      mark.style.bottom = `${place}px`;
      this.pitches.append(mark);
    }
  }
}
