import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";

export interface RecordingProxy extends AsyncDisposable {
  readonly url: URL;
  /** `METHOD /path?query` of every call, in order. */
  readonly calls: readonly string[];
}

/** Stands before a server on 127.0.0.1, passes everything on as it is, and notes what was asked. */
export async function startRecordingProxy(target: URL): Promise<RecordingProxy> {
  const calls: string[] = [];
  const server = createServer((message, response) => {
    calls.push(`${message.method} ${message.url}`);
    const passed = httpRequest(new URL(message.url!, target), { method: message.method, headers: message.headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.on("error", () => response.destroy()).pipe(response);
    });
    passed.on("error", () => response.destroy());
    message.pipe(passed);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    calls,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
