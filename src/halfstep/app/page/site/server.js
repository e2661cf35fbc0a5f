// Music that a server makes: blocks over WebSocket, files by jobs. docs/serve.md says what passes.
const HEAD = 16;

export class ServerSource {
  restyles = true;

  async models() { return (await this.json("api/models")).models; }

  /** Blocks of a tune, until `close()`. `on`: hello, block(frame, int16, levels, bands), ended(error or null). */
  open(tune, on) {
    const { model, ...asked } = tune;
    const address = new URL(`live/${encodeURIComponent(model)}`, document.baseURI);
    address.protocol = address.protocol.replace("http", "ws");
    address.search = query(asked);
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    let hello = null, closed = false;
    const end = (error) => { if (!closed) { closed = true; on.ended(error); } };
    socket.onmessage = ({ data }) => {
      if (closed) return;
      if (typeof data === "string") {
        const said = JSON.parse(data);
        if (said.error) end(said.error);
        else on.hello((hello = said));
        return;
      }
      const view = new DataView(data);
      const frames = view.getUint32(0, true), bands = view.getUint32(4, true), frame = view.getFloat64(8, true);
      const count = frames * hello.hop_length * hello.channels;
      on.block(frame, new Int16Array(data, HEAD, count), new Uint8Array(data, HEAD + 2 * count), bands);
    };
    socket.onclose = () => end(hello ? null : "the server does not answer; trying again");
    return { close() { closed = true; socket.close(); } };
  }

  /** A file: kind is clips, loops, continuations, restylings or guided. `progress` is called with a share, or null while there is none. */
  async make(kind, asked, file, progress, signal) {
    let job = await this.json(`api/${kind}?${query(asked)}`, { method: "POST", body: file ?? undefined, signal });
    const cancel = () => fetch(`api/jobs/${job.id}`, { method: "DELETE" });
    signal.addEventListener("abort", cancel, { once: true });
    try {
      while (job.state === "waiting" || job.state === "running") {
        progress(job.state === "running" && job.progress > 0 ? job.progress : null, job.seconds_left);
        await new Promise((done) => setTimeout(done, 250));
        job = await this.json(`api/jobs/${job.id}`, { signal });
      }
    } finally {
      signal.removeEventListener("abort", cancel);
    }
    if (job.state !== "done") throw new Error(job.error ?? `the job was ${job.state}`);
    const answer = await fetch(job.audio.slice(1), { signal });
    if (!answer.ok) throw new Error("what was made is gone; make it again");
    return await answer.blob();
  }

  /** {condition, asked}: what of the model the recording sounds like. */
  async like(model, file) {
    return await this.json(`api/likenesses?${query({ model })}`, { method: "POST", body: file });
  }

  async json(path, options) {
    let answer;
    try {
      answer = await fetch(path, options);
    } catch (error) {
      throw options?.signal?.aborted ? error : new Error("the server does not answer");
    }
    const said = await answer.json();
    if (!answer.ok) throw new Error(said.error);
    return said;
  }
}

/** The parameters of an address: those that have a value. */
export function query(values) {
  const pairs = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
}
