import { createServer, request as httpRequest } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";

export interface ForwardProxy extends AsyncDisposable {
  readonly url: string;
  /** `CONNECT host:port` and `GET http://…`, in order. */
  readonly seen: readonly string[];
}

/** A small HTTP proxy on 127.0.0.1: forwards plain requests and tunnels the rest. With `auth` it wants these credentials. */
export async function startForwardProxy(options: { readonly auth?: string } = {}): Promise<ForwardProxy> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const expected = options.auth === undefined ? undefined : `Basic ${Buffer.from(options.auth).toString("base64")}`;
  const server = createServer((message, response) => {
    seen.push(`${message.method} ${message.url}`);
    if (expected !== undefined && message.headers["proxy-authorization"] !== expected) return void response.writeHead(407).end();
    const forwarded = httpRequest(message.url!, { method: message.method, headers: message.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    forwarded.on("error", () => response.destroy());
    message.pipe(forwarded);
    return undefined;
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("connect", (message, socket: Socket) => {
    seen.push(`CONNECT ${message.url}`);
    if (expected !== undefined && message.headers["proxy-authorization"] !== expected) {
      return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    const [host, port] = message.url!.split(":");
    const target = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      target.pipe(socket).pipe(target);
    });
    sockets.add(target);
    target.on("error", () => socket.destroy());
    socket.on("error", () => target.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
