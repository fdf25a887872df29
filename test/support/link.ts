import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** The way of one daemon to everything outside: an HTTP proxy of its own, whose links can be cut and whose news can be late. */
export interface Link extends AsyncDisposable {
  /** For `proxy.http`. */
  readonly url: string;
  /** Nothing goes to this server any more. */
  cut(server: URL): void;
  mend(server: URL): void;
  /** From now on questions where branches stand that name this text are answered as they were the last time, until `thaw`. */
  freeze(text: string): void;
  thaw(): void;
}

/** On 127.0.0.1. Close it after the daemon. */
export async function startLink(): Promise<Link> {
  const sockets = new Set<Socket>();
  const cut = new Set<string>();
  const answers = new Map<string, Answer>();
  let frozen: string | undefined;
  const serve = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { host = "" } = message.headers;
    if (cut.has(host)) return void response.destroy();
    const body = await readBody(message);
    const url = new URL(message.url ?? "/", `http://${host}`);
    const question = `${message.method} ${url.href} ${body.toString("latin1")}`;
    const isListing = body.includes("command=ls-refs");
    const old = isListing && frozen !== undefined && body.includes(frozen) ? answers.get(question) : undefined;
    const answer = old ?? (await ask(url, message, body));
    if (isListing && old === undefined) answers.set(question, answer);
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  const server = createServer((message, response) => {
    serve(message, response).catch(() => response.destroy()); // the daemon sees a broken connection, as the link did
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
  });
  // A tunnel ends here, too: what comes out of it is served like everything else.
  server.on("connect", (_, socket: Socket) => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    server.emit("connection", socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    cut: ({ host }) => void cut.add(host),
    mend: ({ host }) => void cut.delete(host),
    freeze: (text) => void (frozen = text),
    thaw: () => void (frozen = undefined),
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

async function ask(url: URL, { method, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const asked = httpRequest(url, { method, headers: { ...withoutLength(headers), "content-length": body.length } }, (answer) => {
    const settle = (content: Buffer): void => {
      const told = { ...withoutLength(answer.headers), "content-length": String(content.length) };
      resolve({ status: answer.statusCode ?? 500, headers: told, body: content });
    };
    readBody(answer).then(settle, reject);
  });
  asked.on("error", reject).end(body);
  return promise;
}

function withoutLength(headers: IncomingMessage["headers"]): IncomingMessage["headers"] {
  const { "transfer-encoding": _coding, "content-length": _length, connection: _connection, ...rest } = headers;
  return rest;
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
