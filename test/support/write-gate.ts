import { Agent, createServer, request as sendRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { WritingCall } from "../../src/common/writing-calls.ts";

/** Before: the server has not got the call. After: it has done it, and whoever asked does not know. */
export type Moment = "before" | "after";

/** Told of every writing call that comes by; `cut` ends its connection, and before the server got it, it never does. */
export type Guard = (call: WritingCall, moment: Moment) => Promise<"pass" | "cut">;

/** What a request is, by what can be seen of it; undefined for a question. */
export type Recognize = (method: string, pathAndQuery: string, body: Buffer) => WritingCall | undefined;

/** Stands between the daemon and one server, and knows what changes something there. Close it. */
export interface WriteGate {
  readonly url: URL;
  /** Where it leads; nothing is answered before it is set. */
  target: URL;
  /** Ends all connections and takes no other one, as if whoever asks were dead. */
  sever(): void;
  mend(): void;
  close(): Promise<void>;
}

interface ServerAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export async function openWriteGate(recognize: Recognize, guard: Guard): Promise<WriteGate> {
  const agent = new Agent({ keepAlive: true });
  const sockets = new Set<Socket>();
  let isSevered = false;
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const path = request.url ?? "/";
    const call = recognize(request.method ?? "GET", path, body);
    if (call !== undefined && (await guard(call, "before")) === "cut") return void response.destroy();
    const answer = await forward(new URL(path, gate.target), request, body, agent);
    if (call !== undefined && (await guard(call, "after")) === "cut") return void response.destroy();
    response.writeHead(answer.status, headersOf(answer));
    response.end(answer.body);
  };
  const server = createServer((request, response) => {
    response.on("error", () => {}); // Whoever asked may be dead by now, which is what this is for.
    pass(request, response).catch(() => response.destroy()); // the server is down, or the caller left in the middle of its body
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    if (isSevered) socket.destroy();
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  const gate: WriteGate = {
    url,
    target: url,
    sever() {
      isSevered = true;
      for (const socket of sockets) socket.destroy();
    },
    mend: () => void (isSevered = false),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
  return gate;
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function forward(url: URL, { method, headers }: IncomingMessage, body: Buffer, agent: Agent): Promise<ServerAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<ServerAnswer>();
  const { "transfer-encoding": _chunked, ...rest } = headers;
  const own = { ...rest, host: url.host, "content-length": String(body.length) };
  const sent = sendRequest(url, { method: method ?? "GET", headers: own, agent }, (answer) => {
    bodyOf(answer).then(
      (content) => resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: content }),
      reject,
    );
  });
  sent.on("error", reject).end(body);
  return promise;
}

function headersOf({ headers, body }: ServerAnswer): Readonly<Record<string, string | string[]>> {
  const { "transfer-encoding": _chunked, connection: _connection, ...rest } = headers;
  const given = Object.entries(rest).filter((entry): entry is [string, string | string[]] => entry[1] !== undefined);
  return { ...Object.fromEntries(given), "content-length": String(body.length) };
}
