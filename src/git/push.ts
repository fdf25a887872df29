import { getRemoteInfo } from "isomorphic-git";
import { oneLine } from "../common/text.ts";
import type { GitWrite } from "../common/writing-calls.ts";
import { readBand } from "./answer-checks.ts";
import { GitProtocolError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { FLUSH, encodePktLine, parsePktLines, type PktLine } from "./pkt-line.ts";

/** What the server says about the one ref that was pushed. `because` holds its reason and what its hooks print. */
export type PushReport = { readonly kind: "accepted" } | { readonly kind: "rejected"; readonly because: string };

export interface Push {
  readonly write: GitWrite;
  readonly branch: string;
  /** The commit that must stand there; undefined: no such branch. */
  readonly expected: string | undefined;
  readonly head: string;
  readonly pack: Buffer;
}

const NO_COMMIT = "0".repeat(40);
const WANTED_CAPABILITIES = ["report-status", "side-band-64k"];

/** What the server can do when it receives a push, of what we have use for. */
export async function readPushCapabilities(transport: GitTransport, signal: AbortSignal): Promise<readonly string[]> {
  const info = await getRemoteInfo({ http: transport.client(signal), url: transport.url, headers: {}, forPush: true });
  const offered = WANTED_CAPABILITIES.filter((name) => info.capabilities.includes(name));
  if (!offered.includes("report-status")) throw new GitProtocolError(transport.publicUrl, "it does not report how a push ended");
  return offered;
}

/**
 * Sends one commit as the new head of a branch, if the branch still stands at `expected`: the server checks that under its lock. One
 * request. isomorphic-git's own push asks for all refs first, walks the whole old tree, and refuses a tree that holds an odd name.
 * An error leaves open whether the push was done: look where the branch stands.
 */
export async function sendPush(
  transport: GitTransport,
  push: Push,
  capabilities: readonly string[],
  signal: AbortSignal,
): Promise<PushReport> {
  const ref = `refs/heads/${push.branch}`;
  const command = encodePktLine(`${push.expected ?? NO_COMMIT} ${push.head} ${ref}\0 ${capabilities.join(" ")}\n`);
  const answer = await transport.client(signal).request({
    url: `${transport.url}/git-receive-pack`,
    method: "POST",
    headers: { "content-type": "application/x-git-receive-pack-request", accept: "application/x-git-receive-pack-result" },
    body: chunksOf(Buffer.concat([command, FLUSH, push.pack])),
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  return parseReport(Buffer.concat(chunks), ref, transport.publicUrl);
}

async function* chunksOf(body: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield body;
}

function parseReport(body: Buffer, ref: string, url: string): PushReport {
  const outer = parsePktLines(body) ?? [];
  const inner = readBand(outer, 1);
  const lines = textOf(inner.length === 0 ? outer : (parsePktLines(inner) ?? []));
  const unpacked = lines.find((line) => line.startsWith("unpack "));
  if (unpacked === undefined) throw new GitProtocolError(url, "it does not say how the push ended");
  const rejected = lines.find((line) => line.startsWith(`ng ${ref} `))?.slice(`ng ${ref} `.length);
  if (unpacked === "unpack ok" && rejected === undefined && lines.includes(`ok ${ref}`)) return { kind: "accepted" };
  const reason = unpacked === "unpack ok" ? (rejected ?? "no reason given") : unpacked.slice("unpack ".length);
  const printed = oneLine(readBand(outer, 2).toString("utf8"), 300);
  return { kind: "rejected", because: oneLine(printed === "" ? reason : `${reason}: ${printed}`, 400) };
}

function textOf(lines: readonly PktLine[]): readonly string[] {
  return lines.filter((line): line is Buffer => Buffer.isBuffer(line)).map((line) => line.toString("utf8").trimEnd());
}
