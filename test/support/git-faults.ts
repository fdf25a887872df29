import type { ServerResponse } from "node:http";

/** What goes wrong with an answer. Except for `status`, `redirect`, `drop` and `hang`, the real answer is computed first and then damaged. */
export type GitFault =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  /** Closes the socket and does nothing, like a server that gave up a kept connection. */
  | { readonly kind: "drop" }
  /** Never answers; the request is done all the same when `afterDoing`. */
  | { readonly kind: "hang"; readonly afterDoing?: boolean }
  /** Ends cleanly after so many pkt-lines: a proxy or CGI that died. Negative: so many before the end. */
  | { readonly kind: "cut-between-lines"; readonly after: number }
  /** Ends cleanly in the middle of the last pkt-line that holds something. */
  | { readonly kind: "cut-inside-line" }
  /** Sends half of the answer, then closes the socket. */
  | { readonly kind: "close-socket" }
  /** Flips one byte of the pack that travels on side-band 1. */
  | { readonly kind: "flip-byte" }
  /** A fatal error of the server on side-band 3 instead of the rest. */
  | { readonly kind: "side-band-error"; readonly message: string }
  | { readonly kind: "error-line"; readonly message: string }
  | { readonly kind: "empty" }
  /** Any other body with status 200. */
  | { readonly kind: "replace"; readonly body: string | Uint8Array }
  /** Sends filler for ever. */
  | { readonly kind: "endless" }
  /** The real answer, one byte at a time. */
  | { readonly kind: "slow-drip"; readonly everyMs: number }
  /** Does what was asked and then closes the socket without an answer. */
  | { readonly kind: "lose-answer" };

export interface CgiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Sends `answer` the way `fault` damages it. */
export async function sendDamaged(response: ServerResponse, answer: CgiAnswer, fault: GitFault): Promise<void> {
  const send = (body: string | Uint8Array) => void response.writeHead(answer.status, answer.headers).end(body);
  switch (fault.kind) {
    case "status":
      return void response.writeHead(fault.status, { "content-type": "text/html", ...fault.headers }).end(fault.body ?? "<html>");
    case "redirect":
      return void response.writeHead(fault.status, { location: fault.location }).end("moved");
    case "hang":
      return;
    case "cut-between-lines":
      return send(Buffer.concat(pktLines(answer.body).slice(0, fault.after)));
    case "cut-inside-line": {
      const lines = pktLines(answer.body);
      const last = lines.findLastIndex((line) => line.length > 8);
      return send(Buffer.concat([...lines.slice(0, last), lines[last]!.subarray(0, -3)]));
    }
    case "close-socket":
      response.writeHead(answer.status, { ...answer.headers, "content-length": String(answer.body.length) });
      response.write(answer.body.subarray(0, answer.body.length / 2), () => response.destroy());
      return;
    case "flip-byte":
      return send(Buffer.concat(flipPackByte(pktLines(answer.body))));
    case "side-band-error": {
      const before = pktLines(answer.body).filter((line) => line[4] !== 1 && line.length > 4);
      return send(Buffer.concat([...before, pktLine(`\u0003${fault.message}`), Buffer.from("0000")]));
    }
    case "error-line":
      return send(pktLine(`ERR ${fault.message}\n`));
    case "empty":
      return send("");
    case "replace":
      return send(fault.body);
    case "endless":
      return sendEndless(response, answer);
    case "slow-drip":
      return sendSlowly(response, answer, fault.everyMs);
    case "drop":
    case "lose-answer":
      return void response.destroy();
    default:
      return fault satisfies never;
  }
}

export function pktLine(text: string): Buffer {
  const content = Buffer.from(text);
  return Buffer.concat([Buffer.from((content.length + 4).toString(16).padStart(4, "0")), content]);
}

/** The body cut into its pkt-lines, each with its header. */
export function pktLines(body: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const size = Math.max(4, Number.parseInt(body.toString("latin1", at, at + 4), 16));
    lines.push(body.subarray(at, at + size));
    at += size;
  }
  return lines;
}

function flipPackByte(lines: readonly Buffer[]): readonly Buffer[] {
  const packLine = lines.findLastIndex((line) => line[4] === 1 && line.length > 40);
  return lines.map((line, index) => {
    if (index !== packLine) return line;
    const flipped = Buffer.from(line);
    flipped[30] = flipped[30]! ^ 0xff;
    return flipped;
  });
}

function sendEndless(response: ServerResponse, answer: CgiAnswer): void {
  const filler = Buffer.alloc(65_520, pktLine("x".repeat(65_516)));
  response.writeHead(answer.status, answer.headers);
  const more = () => {
    while (!response.destroyed && response.write(filler)); // until the socket's buffer is full
  };
  response.on("drain", more);
  more();
}

function sendSlowly(response: ServerResponse, answer: CgiAnswer, everyMs: number): void {
  response.writeHead(answer.status, answer.headers);
  let sent = 0;
  const timer = setInterval(() => {
    if (sent < answer.body.length) response.write(answer.body.subarray(sent, (sent += 1)));
    else response.end();
  }, everyMs);
  response.on("close", () => clearInterval(timer));
}
