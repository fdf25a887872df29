import { oneLine } from "../common/text.ts";
import { GitProtocolError, GitServerError, GitTooLargeError, GitUnsupportedError } from "./errors.ts";
import { checkPack } from "./pack-check.ts";
import { encodePktLine, FLUSH, parsePktLines, type PktLine } from "./pkt-line.ts";

/** What kind of answer is expected; each has its own rules of when it is whole. */
export type AnswerKind = "advertisement" | "refs" | "pack" | "report";

const BAND_DATA = 1;
const BAND_ERROR = 3;

/**
 * Throws unless `body` is a whole answer of its kind. Without this isomorphic-git takes an answer that was cut between two lines, is
 * empty, or carries the server's own error message for a success (test/git/silent-success.test.ts has them all).
 */
export async function checkAnswer(kind: AnswerKind, body: Buffer, url: string, limits: { readonly maxObjectBytes: number }) {
  if (body.length === 0) throw new GitProtocolError(url, "it is empty");
  const lines = parsePktLines(body);
  if (lines === undefined) throw new GitProtocolError(url, describeBroken(body));
  checkForServerErrors(lines, url);
  switch (kind) {
    case "advertisement":
      return checkAdvertisement(lines, url);
    case "refs":
      return checkEnd(lines, url);
    case "pack":
      checkEnd(lines, url);
      return checkPackAnswer(lines, url, limits.maxObjectBytes);
    case "report":
      return checkEnd(lines, url);
    default:
      return kind satisfies never;
  }
}

/** What a side-band carries, joined. Lines that are on no band are left out. */
export function readBand(lines: readonly PktLine[], band: 1 | 2): Buffer {
  const parts = lines.filter((line): line is Buffer => Buffer.isBuffer(line) && line[0] === band);
  return Buffer.concat(parts.map((part) => part.subarray(1)));
}

/**
 * An advertisement in protocol version 1 that says where HEAD points. isomorphic-git fails with "Could not find HEAD" on a repository
 * whose HEAD names a branch that does not exist, as a self-hosted one with `main` only and HEAD on `master`; we never use HEAD.
 */
export function withHead(body: Buffer): Buffer {
  const lines = parsePktLines(body) ?? [];
  const first = lines.find((line): line is Buffer => Buffer.isBuffer(line) && line.includes(0));
  if (first === undefined || first.includes("symref=HEAD:")) return body;
  const text = `${first.toString("latin1").trimEnd()} symref=HEAD:refs/heads/HEAD\n`;
  const start = first.byteOffset - body.byteOffset;
  return Buffer.concat([body.subarray(0, start - 4), encodePktLine(text), body.subarray(start + first.length)]);
}

/** An advertisement in protocol version 1 with its first ref alone, which carries what the server can do; undefined when it has no ref. */
export function withoutRefs(body: Buffer): Buffer | undefined {
  const first = parsePktLines(body)?.find((line): line is Buffer => Buffer.isBuffer(line) && line.includes(0));
  if (first === undefined || first.toString("latin1", 40).startsWith(" capabilities^{}")) return undefined;
  return Buffer.concat([body.subarray(0, first.byteOffset - body.byteOffset + first.length), FLUSH]);
}

function describeBroken(body: Buffer): string {
  const start = body.toString("latin1", 0, 200).trimStart();
  if (/^<(?:!doctype|html)/i.test(start)) return "it is a web page; check that repository.url is the address to clone from";
  if (/^[0-9a-f]{40}\t/.test(start)) return "the server speaks only the old dumb HTTP protocol";
  return "it was cut short or is not Git's protocol";
}

function checkForServerErrors(lines: readonly PktLine[], url: string): void {
  for (const line of lines) {
    if (!Buffer.isBuffer(line)) continue;
    if (line[0] === BAND_ERROR) throw new GitServerError(url, line.toString("utf8", 1));
    if (line.length < 5000 && line.toString("latin1", 0, 4) === "ERR ") throw new GitServerError(url, line.toString("utf8", 4));
  }
}

function checkEnd(lines: readonly PktLine[], url: string): void {
  if (lines.at(-1) !== "flush") throw new GitProtocolError(url, "it was cut short");
}

function checkAdvertisement(lines: readonly PktLine[], url: string): void {
  checkEnd(lines, url);
  const isService = Buffer.isBuffer(lines[0]) && lines[0].toString("latin1").startsWith("# service=");
  // The service line has a flush of its own: cut after it, the answer would look like that of an empty repository.
  const rest = isService ? lines.slice(2) : lines;
  const first = rest[0];
  if (first === undefined) throw new GitProtocolError(url, "it was cut short");
  if (rest.slice(0, -1).includes("flush")) throw new GitProtocolError(url, "it goes on after its end");
  const isSha256 = rest.some((line) => Buffer.isBuffer(line) && line.includes("object-format=sha256"));
  if (isSha256) throw new GitUnsupportedError(url, "it uses SHA-256 object names; only SHA-1 repositories are supported");
  if (!Buffer.isBuffer(first)) return; // No refs and no capabilities at all: an empty repository of an old server.
  if (!first.includes(0) && !first.toString("latin1").startsWith("version 2")) {
    throw new GitProtocolError(url, `an advertisement of refs that starts with "${oneLine(first.toString("utf8"), 60)}"`);
  }
}

async function checkPackAnswer(lines: readonly PktLine[], url: string, maxObjectBytes: number): Promise<void> {
  const pack = readBand(lines, BAND_DATA);
  if (pack.length === 0) throw new GitProtocolError(url, "it holds no pack");
  const problem = await checkPack(pack, maxObjectBytes);
  if (problem === undefined) return;
  if (problem.kind === "damaged") throw new GitProtocolError(url, problem.message);
  throw new GitTooLargeError(url, `${problem.message}; the most is repository.maxPackSize`);
}
