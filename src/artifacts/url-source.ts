import type { Lookup } from "../common/http.ts";
import { isLoopback } from "../common/remote-url.ts";
import { publicUrl, Secret } from "../common/secrets.ts";
import type { ArtifactHostConfig, ArtifactsConfig, TlsConfig } from "../config/config.ts";
import type { AddressGuard } from "./address-guard.ts";
import { ArtifactError } from "./artifact-error.ts";
import type { Download, Fetched, Validator } from "./download.ts";
import {
  basicAuthorization,
  discard,
  type HopRules,
  type HttpAccess,
  type HttpAnswer,
  type HttpGetter,
  readBody,
} from "./http-get.ts";

export interface UrlJob {
  readonly download: Download;
  readonly maxBytes: number;
  /** What the source had when it was asked last: then only something else is of interest. */
  readonly known: Validator | undefined;
  readonly onProgress: (bytes: number, totalBytes: number | undefined) => void;
  readonly signal: AbortSignal;
}

/** How often one attempt goes on after a cut, and begins anew because the file was changed meanwhile. */
const MAX_CUTS = 20;
const MAX_RESTARTS = 2;
const NO_TLS: TlsConfig = {};

/** Who may be called for `url` sources, and with what. Hosts that the configuration names are the operator's word; all others are judged by address. */
export class UrlHosts implements HopRules {
  readonly #hosts: ArtifactsConfig["hosts"];
  readonly #named: ReadonlySet<string>;
  readonly #guard: AddressGuard;

  /** `named`: `host:port` of other servers that the configuration trusts to hand out files. */
  constructor(hosts: ArtifactsConfig["hosts"], named: Iterable<URL>, guard: AddressGuard) {
    this.#hosts = hosts;
    this.#named = new Set([...named].map(hostWithPort));
    this.#guard = guard;
  }

  accessTo(url: URL): HttpAccess {
    const host = this.#find(url);
    if (host === undefined) return { tls: NO_TLS };
    const authorization =
      host.basic !== undefined
        ? basicAuthorization(host.basic)
        : host.bearer === undefined
          ? undefined
          : new Secret(`Bearer ${host.bearer.reveal()}`);
    return { tls: host.tls, headers: host.headers, ...(authorization === undefined ? {} : { authorization }) };
  }

  hasCredentials(url: URL): boolean {
    const host = this.#find(url);
    return host !== undefined && (host.basic !== undefined || host.bearer !== undefined || host.headers.size > 0);
  }

  tlsOf(url: URL): TlsConfig | undefined {
    return this.#find(url)?.tls;
  }

  async check(url: URL): Promise<Lookup | undefined> {
    const host = this.#find(url);
    if (url.protocol === "http:" && !isLoopback(url.hostname) && host?.allowPlainHttp !== true) {
      const message = `${publicUrl(url)} is not encrypted, so anybody on the way could change the jar: use https, or set artifacts.hosts.${url.host}.allowPlainHttp in the daemon's configuration`;
      throw new ArtifactError("PlainHttpRefused", message);
    }
    if (host !== undefined || this.#named.has(hostWithPort(url))) return undefined;
    await this.#guard.check(url);
    return this.#guard.lookup;
  }

  #find(url: URL): ArtifactHostConfig | undefined {
    return this.#hosts.get(url.host) ?? this.#hosts.get(hostWithPort(url));
  }
}

function hostWithPort(url: URL): string {
  return url.port === "" ? `${url.hostname}:${url.protocol === "https:" ? 443 : 80}` : url.host;
}

/**
 * The file behind a URL. After a cut it goes on where it stopped, as long as the server proves that it still has the same version;
 * otherwise it begins anew. When it throws, what came so far is in the download and may be gone on with.
 */
export async function fetchUrl(
  text: string,
  deps: { readonly http: HttpGetter; readonly hosts: UrlHosts },
  job: UrlJob,
): Promise<Fetched> {
  const url = new URL(text);
  const { download } = job;
  let restarts = 0;
  for (let cuts = 0; ;) {
    const before = download.incoming.size;
    try {
      const step = await fetchOnce(url, deps, job);
      if (step.kind !== "restart") return step;
      restarts += 1;
      if (restarts > MAX_RESTARTS) throw new ArtifactError("DownloadFailed", `${publicUrl(url)} changes while it is read`);
    } catch (error) {
      cuts += 1;
      const canGoOn = isCut(error, job.signal) && download.validator !== undefined && download.incoming.size > before;
      if (!canGoOn || cuts > MAX_CUTS) throw error;
    }
  }
}

/** Whether a download broke off in a way that another call may go on from. */
export function isCut(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted) return isTimeout(signal.reason);
  return error instanceof ArtifactError && (error.data.reason === "DownloadFailed" || error.data.reason === "TimedOut");
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

async function fetchOnce(
  url: URL,
  { http, hosts }: { readonly http: HttpGetter; readonly hosts: UrlHosts },
  job: UrlJob,
): Promise<Fetched | { readonly kind: "restart" }> {
  const { download } = job;
  const startAt = download.validator === undefined ? 0 : download.incoming.size;
  const headers = startAt > 0 ? rangeHeaders(startAt, download.validator!) : conditionHeaders(job.known);
  const answer = await http.get(url, hosts.accessTo(url), job.signal, { headers, rules: hosts });
  if (startAt > 0 && !continues(answer, startAt, download.validator!)) {
    // The whole file in another version is as good as a new answer; anything else is asked for again, from the start.
    if (answer.status === 200) return receive(answer, 0, job);
    const isVersion = answer.status === 206 || answer.status === 416 || answer.status === 412;
    if (!isVersion) return refuse(answer, url, hosts);
    await discard(answer);
    await download.incoming.restart();
    download.validator = undefined;
    return { kind: "restart" };
  }
  if (answer.status === 304 && job.known !== undefined) {
    await discard(answer);
    return { kind: "unchanged" };
  }
  if (answer.status !== 200 && startAt === 0) return refuse(answer, url, hosts);
  return receive(answer, startAt, job);
}

async function receive(answer: HttpAnswer, startAt: number, job: UrlJob): Promise<Fetched> {
  const { download } = job;
  if (startAt === 0) {
    await download.incoming.restart();
    download.validator = validatorOf(answer.headers);
  }
  const limits = { ...job, startAt, setting: "artifacts.maxSize" };
  await readBody(answer, limits, (chunk) => download.incoming.write(chunk));
  const total = startAt === 0 ? undefined : rangeOf(answer.headers)?.total;
  if (total !== undefined && download.incoming.size < total) {
    throw new ArtifactError("DownloadFailed", `${answer.from} sent less than it said`);
  }
  return { kind: "fetched", validator: download.validator };
}

function rangeHeaders(startAt: number, validator: Validator): Readonly<Record<string, string>> {
  return { range: `bytes=${startAt}-`, "if-range": validator };
}

function conditionHeaders(known: Validator | undefined): Readonly<Record<string, string>> {
  if (known === undefined) return {};
  return known.startsWith('"') ? { "if-none-match": known } : { "if-modified-since": known };
}

/** Not believed by its status alone: some servers take the range and pass over the condition. */
function continues(answer: HttpAnswer, startAt: number, validator: Validator): boolean {
  return answer.status === 206 && rangeOf(answer.headers)?.from === startAt && versionOf(answer.headers, validator) === validator;
}

function versionOf(headers: HttpAnswer["headers"], like: Validator): string | undefined {
  return like.startsWith('"') ? headers.etag : headers["last-modified"];
}

function rangeOf(headers: HttpAnswer["headers"]): { readonly from: number; readonly total: number | undefined } | undefined {
  const match = /^bytes (\d{1,15})-\d{1,15}\/(?:(\d{1,15})|\*)$/.exec(headers["content-range"] ?? "");
  if (match === null) return undefined;
  return { from: Number(match[1]), total: match[2] === undefined ? undefined : Number(match[2]) };
}

/** A date counts only when it lies so far back that the file was surely not changed twice within it. */
const STRONG_AFTER_MS = 60_000;

/** What surely stands for these very bytes, if anything does: a weak ETag only promises something alike. */
function validatorOf(headers: HttpAnswer["headers"]): Validator | undefined {
  const { etag, date } = headers;
  if (etag !== undefined) return /^"[\x21\x23-\x7e\x80-\xff]{1,200}"$/.test(etag) ? etag : undefined;
  const changed = headers["last-modified"];
  if (changed === undefined || changed.length > 40 || date === undefined) return undefined;
  return Date.parse(date) - Date.parse(changed) >= STRONG_AFTER_MS ? changed : undefined;
}

async function refuse(answer: HttpAnswer, url: URL, hosts: UrlHosts): Promise<never> {
  await discard(answer);
  const shown = publicUrl(url);
  const from = answer.from === shown ? "" : ` (for ${answer.from})`;
  if (answer.status === 404 || answer.status === 410) {
    throw new ArtifactError("NotFound", `${shown} is not there: the server answers ${answer.status}${from}`);
  }
  if (answer.status !== 401 && answer.status !== 403) {
    throw new ArtifactError("DownloadFailed", `${shown} answers ${answer.status}${from}`);
  }
  const way = hosts.hasCredentials(url) ? "check its credentials" : "give it credentials";
  throw new ArtifactError(
    "NotAuthorized",
    `${shown} refuses access (${answer.status})${from}: ${way} under artifacts.hosts.${url.host}`,
  );
}
