// The sound: a queue of blocks, faded where one piece takes over from another or the queue runs dry.
const FADE = 0.08; // seconds
const START = 0.25; // seconds waiting before the first is heard
const AGAIN = 1.0; // and before sound goes on after a gap
const REPORT = 0.05;

class Piece {
  constructor(id) {
    this.id = id;
    this.blocks = [];
    this.queued = 0;
    this.place = 0;
    this.ended = false;
  }
  push(block) {
    this.blocks.push(block);
    this.queued += block.samples[0].length;
  }
  get left() { return this.queued - this.place; }
  /** Fill `room`, two channels, with what comes next; how many samples there were. */
  pull(room) {
    const size = room[0].length;
    let done = 0;
    while (done < size && this.blocks.length) {
      const { samples } = this.blocks[0], { length } = samples[0];
      const count = Math.min(size - done, length - this.place);
      room.forEach((into, which) => into.set(samples[which % samples.length].subarray(this.place, this.place + count), done));
      done += count;
      this.place += count;
      if (this.place === length) {
        this.queued -= length;
        this.place = 0;
        this.last = this.blocks.shift();
      }
    }
    return done;
  }
  /** The frame that comes next. */
  get frame() {
    const block = this.blocks[0];
    if (block) return block.frame + this.place / block.hop;
    return this.last ? this.last.frame + this.last.samples[0].length / this.last.hop : 0;
  }
}

class Player extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pieces = [];
    this.running = false;
    this.wanted = START * sampleRate;
    this.gain = 0;
    this.gaps = 0;
    this.since = 0;
    this.room = [new Float32Array(128), new Float32Array(128)];
    this.port.onmessage = ({ data }) => this.hear(data);
  }
  hear(message) {
    if (message.stop) {
      this.stopping = true;
      return;
    }
    this.stopping = false;
    let piece = this.pieces.find((one) => one.id === message.id);
    if (!piece) {
      piece = new Piece(message.id);
      this.pieces.push(piece);
      this.wanted = START * sampleRate;
    }
    piece.push(message);
  }
  process(_, outputs) {
    const out = outputs[0], size = out[0].length;
    const current = this.pieces[0], next = this.pieces[this.pieces.length - 1];
    if (!current) return true;
    const step = 1 / (FADE * sampleRate);
    if (!this.running) {
      if (this.stopping) { this.pieces = []; this.tell(); return true; }
      if (next.left < this.wanted) return true;
      this.pieces = [next];
      this.running = true;
      return true;
    }
    const leaving = this.stopping || (next !== current && next.left >= START * sampleRate);
    const got = current.pull(this.room.map((channel) => channel.subarray(0, size)));
    for (let at = 0; at < size; at++) {
      this.gain = leaving ? Math.max(0, this.gain - step) : Math.min(1, this.gain + step);
      out.forEach((channel, which) => { channel[at] = at < got ? this.room[which][at] * this.gain : 0; });
    }
    if (leaving && this.gain === 0) {
      if (this.stopping) { this.pieces = []; this.running = false; }
      else this.pieces.splice(0, this.pieces.length - 1);
      this.tell();
    } else if (got < size) {
      if (next === current) { this.gaps++; this.wanted = AGAIN * sampleRate; }
      this.running = false;
      this.gain = 0;
      this.tell();
    }
    this.since += size;
    if (this.since >= REPORT * sampleRate) this.tell();
    return true;
  }
  tell() {
    this.since = 0;
    const piece = this.pieces[0];
    this.port.postMessage({
      id: piece?.id, frame: piece?.frame ?? 0, left: (piece?.left ?? 0) / sampleRate, running: this.running,
      gaps: this.gaps, time: currentTime,
    });
  }
}
registerProcessor("halfstep-player", Player);
