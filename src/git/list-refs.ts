import { getRemoteInfo2 } from "isomorphic-git";
import { GitProtocolError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";
import { FLUSH, encodePktLine, parsePktLines } from "./pkt-line.ts";

export interface RemoteRef {
  readonly ref: string;
  readonly oid: string;
}

const DELIMITER = Buffer.from("0001");

/**
 * All refs that begin with one of the prefixes, in one question, however many there are. isomorphic-git's own asks for one prefix. A server that
 * knows only version 1 of the protocol tells all refs, and what was not asked for is left out here.
 */
export async function listRefs(
  transport: GitTransport,
  prefixes: readonly string[],
  signal: AbortSignal,
): Promise<readonly RemoteRef[]> {
  const http = transport.client(signal);
  const info = await getRemoteInfo2({ http, url: transport.url, headers: {}, protocolVersion: 2 });
  const refs = info.refs ?? parseRefs(await ask(transport, prefixes, signal), transport);
  return refs.filter(({ ref, oid }) => /^[0-9a-f]{40}$/.test(oid) && prefixes.some((prefix) => ref.startsWith(prefix)));
}

async function ask(transport: GitTransport, prefixes: readonly string[], signal: AbortSignal): Promise<Buffer> {
  const lines = prefixes.map((prefix) => encodePktLine(`ref-prefix ${prefix}\n`));
  const body = Buffer.concat([encodePktLine("command=ls-refs\n"), DELIMITER, ...lines, FLUSH]);
  const answer = await transport.client(signal).request({
    url: `${transport.url}/git-upload-pack`,
    method: "POST",
    headers: {
      "content-type": "application/x-git-upload-pack-request",
      accept: "application/x-git-upload-pack-result",
      "Git-Protocol": "version=2",
    },
    body: chunksOf(body),
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body ?? []) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function* chunksOf(body: Uint8Array): AsyncIterableIterator<Uint8Array> {
  yield body;
}

/** The transport has made sure that the answer is whole. */
function parseRefs(body: Buffer, transport: GitTransport): readonly RemoteRef[] {
  const lines = parsePktLines(body);
  if (lines === undefined) throw new GitProtocolError(transport.publicUrl, "a list of refs that is cut");
  return lines.flatMap((line) => {
    const found = Buffer.isBuffer(line) ? /^([0-9a-f]+) (\S+)/.exec(line.toString("utf8")) : null;
    return found === null ? [] : [{ oid: found[1]!, ref: found[2]! }];
  });
}
