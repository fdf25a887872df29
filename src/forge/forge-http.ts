import { setTimeout } from "node:timers/promises";
import { request, type Dispatcher } from "undici";
import type { Clock } from "../common/clock.ts";
import { messageOf } from "../common/errors.ts";
import { createDispatcher, readAtMost, type ProxySettings } from "../common/http.ts";
import type { Secret } from "../common/secrets.ts";
import { oneLine } from "../common/text.ts";
import { formatDuration } from "../common/units.ts";
import type { Dialect, ForgeCall } from "./dialect.ts";
import { ForgeError } from "./forge-error.ts";

export interface ForgeHttpSettings {
  readonly url: URL;
  readonly token: Secret;
  readonly tls: { readonly ca?: string; readonly cert?: string; readonly key?: Secret };
  readonly proxy?: ProxySettings;
  /** Ten seconds when not given. */
  readonly timeoutMs?: number;
}

export interface ForgeAnswer {
  readonly status: number;
  readonly value: unknown;
  readonly text: string;
  /** The header that names other pages. */
  readonly link: string | undefined;
}

/** Ends after this time, or when the signal is aborted; never rejects. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 8 * 1024 ** 2;
const DEFAULT_PAUSE_MS = 60_000;
const MAX_PAUSE_MS = 3_600_000;

/**
 * Calls of a forge's REST API. When it wants fewer calls, none is made before the time that it names: those fail at once. No redirect is followed:
 * the token is for this address alone. Keeps connections; close it.
 */
export class ForgeHttp {
  readonly #settings: ForgeHttpSettings;
  readonly #dialect: Dialect;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #sleep: Sleep;
  readonly #closed = new AbortController();
  #pausedUntilMs = 0;
  /** Refusals in a row that named no time. */
  #refusals = 0;
  /** Until the next write may go out. */
  #gap = Promise.resolve();

  constructor(settings: ForgeHttpSettings, dialect: Dialect, clock: Clock, sleep: Sleep = sleepUntil) {
    this.#sleep = sleep;
    this.#settings = settings;
    this.#dialect = dialect;
    this.#clock = clock;
    const { tls, proxy } = settings;
    this.#dispatcher = createDispatcher({ tls, ...(proxy === undefined ? {} : { proxy }) });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#dispatcher.destroy();
  }

  /** The answer whatever its status; throws a ForgeError when there is none, or when the forge wants fewer calls. */
  async call(call: ForgeCall, signal: AbortSignal): Promise<ForgeAnswer> {
    const endpoint = `${call.method} ${call.path.replace(/\?.*$/, "")}`;
    if (call.method !== "GET") await this.#gap;
    if (this.#clock.now() < this.#pausedUntilMs) throw this.#paused(endpoint);
    const answer = await this.#send(call, endpoint, signal);
    const { writesApartMs } = this.#dialect;
    if (call.method !== "GET" && writesApartMs > 0) this.#gap = this.#sleep(writesApartMs, this.#closed.signal);
    const text = answer.body.toString("utf8");
    const pauseMs = this.#pauseAfter(answer.status, answer.headers, text);
    if (pauseMs !== undefined) {
      this.#pausedUntilMs = this.#clock.now() + Math.min(pauseMs, MAX_PAUSE_MS);
      // The last call that it allows was carried out; only the next one has to wait.
      if (answer.status >= 400) throw this.#paused(endpoint);
    }
    return { status: answer.status, value: parseJson(text), text, link: [answer.headers["link"]].flat()[0] };
  }

  async #send(call: ForgeCall, endpoint: string, signal: AbortSignal) {
    const { url, token, timeoutMs = TIMEOUT_MS } = this.#settings;
    const limited = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs * 2)]);
    try {
      const response = await request(`${url.href.replace(/\/+$/, "")}${this.#dialect.root}${call.path}`, {
        method: call.method,
        headers: {
          ...this.#dialect.headersFor(token.reveal()),
          "user-agent": "penstock",
          ...("write" in call ? { "content-type": "application/json" } : {}),
        },
        body: "write" in call ? JSON.stringify(call.json) : null,
        dispatcher: this.#dispatcher,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        signal: limited,
      });
      return { status: response.statusCode, headers: response.headers, body: await readAtMost(response.body, MAX_BYTES) };
    } catch (error) {
      signal.throwIfAborted();
      const because = limited.aborted ? `no answer within ${formatDuration(timeoutMs * 2)}` : oneLine(messageOf(error), 200);
      throw new ForgeError(endpoint, because, { cause: error });
    }
  }

  #paused(endpoint: string): ForgeError {
    const forMs = Math.max(0, this.#pausedUntilMs - this.#clock.now());
    return new ForgeError(endpoint, `it wants fewer requests; again in ${formatDuration(forMs)}`, {
      retryAtMs: this.#pausedUntilMs,
    });
  }

  /** Undefined when the next call may come at once. GitHub refuses with 403 as well, also without any header; the others with 429. */
  #pauseAfter(
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
    text: string,
  ): number | undefined {
    const header = (name: string): string | undefined => [headers[name]].flat()[0];
    const retryAfter = header("retry-after");
    const isRefused =
      status === 429 ||
      ((status === 403 || status === 503) && retryAfter !== undefined) ||
      (status === 403 && this.#dialect.isTooOften(text));
    const left = header("x-ratelimit-remaining") ?? header("ratelimit-remaining");
    if (!isRefused) this.#refusals = 0;
    if (!isRefused && left !== "0") return undefined;
    if (retryAfter !== undefined) {
      if (/^\d{1,6}$/.test(retryAfter)) return Number(retryAfter) * 1000;
      const date = Date.parse(retryAfter);
      if (!Number.isNaN(date)) return Math.max(0, date - this.#clock.now());
    }
    const reset = header("x-ratelimit-reset") ?? header("ratelimit-reset");
    const untilResetMs = reset !== undefined && /^\d{1,12}$/.test(reset) ? Number(reset) * 1000 - this.#clock.now() : 0;
    // While some calls are left it is the end of another limit than the one that was reached.
    if (untilResetMs > 0 && (left ?? "0") === "0") return untilResetMs;
    if (!isRefused) return DEFAULT_PAUSE_MS;
    this.#refusals += 1;
    return DEFAULT_PAUSE_MS * 2 ** (this.#refusals - 1);
  }
}

async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal, ref: false }).catch(() => undefined); // aborted: it has ended
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A page of a proxy, or nothing: whoever asked for a value finds none.
  }
}
