// The audio graph: worklet, volume, speakers; and what was played, kept for a while to be saved.
const KEPT_SECONDS = 190;

export class Player {
  constructor() {
    this.volume = 0.8;
    this.muted = false;
    this.state = { running: false, frame: 0, left: 0, gaps: 0 };
    this.sent = 0; // seconds, of the newest piece
    this.played = []; // blocks of the piece that plays, as int16
    this.onstate = () => {};
  }

  /** To be called from a click: browsers keep pages silent until then. */
  async begin(sampleRate) {
    if (this.context && this.context.sampleRate !== sampleRate) {
      await this.context.close();
      this.context = null;
    }
    if (!this.context) {
      this.context = new AudioContext({ sampleRate, latencyHint: "playback" });
      if (!this.context.audioWorklet) throw new Error("this browser plays only over https or on localhost");
      await this.context.audioWorklet.addModule("worklet.js");
      this.node = new AudioWorkletNode(this.context, "halfstep-player", { numberOfInputs: 0, outputChannelCount: [2] });
      this.output = new GainNode(this.context, { gain: this.loudness });
      this.node.connect(this.output).connect(this.context.destination);
      this.node.port.onmessage = ({ data }) => {
        this.state = { ...data, at: performance.now() };
        this.onstate(this.state);
      };
    }
    await this.context.resume();
  }

  get loudness() { return this.muted ? 0 : this.volume ** 2; }

  setVolume(volume, muted) {
    this.volume = volume;
    this.muted = muted;
    this.output?.gain.setTargetAtTime(this.loudness, this.context.currentTime, 0.02);
  }

  /** One block of a piece: frame number, int16 samples of its channels, samples a frame. */
  push(id, frame, int16, hop, channels) {
    const count = int16.length / channels;
    const samples = Array.from({ length: channels }, (_, channel) =>
      Float32Array.from(int16.subarray(channel * count, (channel + 1) * count), (one) => one / 32767));
    this.keep({ id, frame, int16, hop, channels });
    this.node.port.postMessage({ id, frame, hop, samples }, samples.map((channel) => channel.buffer));
  }

  stop() { this.node?.port.postMessage({ stop: true }); }

  keep(block) {
    if (this.played.length && this.played[this.played.length - 1].id !== block.id) this.played = [];
    if (!this.played.length) this.sent = 0;
    this.sent += block.int16.length / block.channels / this.context.sampleRate;
    this.played.push(block);
    const frames = (KEPT_SECONDS * this.context.sampleRate) / block.hop;
    while (this.played[0].frame < block.frame - frames) this.played.shift();
  }

  /** The frame that sounds now. */
  get frame() {
    const { frame, running, at } = this.state;
    const block = this.played[0];
    if (!running || !block) return frame;
    const latency = this.context.outputLatency || this.context.baseLatency || 0;
    const since = Math.min(0.2, (performance.now() - at) / 1000) - latency;
    return Math.max(0, frame + (since * this.context.sampleRate) / block.hop);
  }

  /** The last seconds that were played: {channels: [Int16Array], sampleRate, seconds}; null where there is nothing. */
  last(seconds) {
    if (!this.played.length) return null;
    const { hop, channels } = this.played[0];
    const end = Math.floor(this.state.frame);
    const begin = Math.max(this.played[0].frame, end - Math.round((seconds * this.context.sampleRate) / hop));
    const count = (end - begin) * hop;
    if (count <= 0) return null;
    const parts = Array.from({ length: channels }, () => new Int16Array(count));
    for (const block of this.played) {
      const length = block.int16.length / channels;
      const at = (block.frame - begin) * hop;
      const from = Math.max(0, -at), to = Math.min(length, count - at);
      if (to <= from) continue;
      for (let channel = 0; channel < channels; channel++)
        parts[channel].set(block.int16.subarray(channel * length + from, channel * length + to), at + from);
    }
    return { channels: parts, sampleRate: this.context.sampleRate, seconds: count / this.context.sampleRate };
  }
}
