import type { FastifyReply } from "fastify";
import type { Transition, TransitionLog } from "./transition-log.ts";

export interface StreamLimits {
  readonly streams: number;
  readonly heartbeatMs: number;
  /** What may wait for one reader; who is slower is dropped, and may come back with the id of what it has. */
  readonly bufferBytes: number;
}

export const STREAM_LIMITS: StreamLimits = { streams: 50, heartbeatMs: 15_000, bufferBytes: 256 * 1024 };

/** Server-sent events: what is known after the reader's last id, then each transition as it happens, and a comment now and then. */
export class TransitionStreams {
  readonly #log: TransitionLog;
  readonly #limits: StreamLimits;
  readonly #open = new Set<FastifyReply["raw"]>();
  #heartbeat: NodeJS.Timeout | undefined;
  /** Called for each reader that was too slow. */
  onDrop: () => void = () => {};

  constructor(log: TransitionLog, limits: StreamLimits) {
    this.#log = log;
    this.#limits = limits;
  }

  get count(): number {
    return this.#open.size;
  }

  isFull(): boolean {
    return this.#open.size >= this.#limits.streams;
  }

  /** Takes the connection over until one side ends it. */
  start(reply: FastifyReply, lastId: string | undefined): void {
    reply.hijack();
    const { raw } = reply;
    for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value);
    raw.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
    const { transitions, gap } = this.#log.since(lastId ?? this.#log.lastId);
    if (gap) raw.write('event: gap\ndata: {"because":"something between was dropped; list the resources again"}\n\n');
    for (const transition of transitions) raw.write(format(transition));
    // Where the reader is now, so that it misses nothing even when the connection breaks before the next transition.
    raw.write(`id: ${this.#log.lastId}\n: welcome\n\n`);
    const stop = this.#log.listen((transition) => this.#send(raw, format(transition)));
    this.#open.add(raw);
    this.#heartbeat ??= setInterval(() => this.#beat(), this.#limits.heartbeatMs).unref();
    raw.once("close", () => {
      stop();
      this.#open.delete(raw);
      if (this.#open.size === 0) this.#rest();
    });
    raw.on("error", () => raw.destroy()); // a reader that left; its close is what counts
  }

  /** Ends all streams. */
  close(): void {
    this.#rest();
    for (const raw of this.#open) raw.end();
  }

  #beat(): void {
    for (const raw of this.#open) this.#send(raw, ": heartbeat\n\n");
  }

  #send(raw: FastifyReply["raw"], text: string): void {
    if (raw.destroyed || raw.writableEnded) return;
    if (raw.writableLength > this.#limits.bufferBytes) {
      this.onDrop();
      raw.destroy();
      return;
    }
    raw.write(text);
  }

  #rest(): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function format(transition: Transition): string {
  return `id: ${transition.id}\nevent: ${transition.type}\ndata: ${JSON.stringify(transition)}\n\n`;
}
