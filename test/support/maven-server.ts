import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestCertificates } from "./test-certificates.ts";

export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  /** The client showed a certificate. */
  readonly certified: boolean;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A Maven repository on loopback whose files are what a test puts there, and which can misbehave by path. Whoever starts it closes it. */
export class MavenServer {
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  readonly #handlers = new Map<string, Handler>();
  readonly #scheme: string;

  private constructor(certificates: TestCertificates | undefined) {
    const listener: Handler = (request, response) => this.#answer(request, response);
    this.#scheme = certificates === undefined ? "http" : "https";
    this.#server =
      certificates === undefined
        ? createServer(listener)
        : createHttpsServer(
            { ...certificates.server, ca: certificates.ca, requestCert: true, rejectUnauthorized: false },
            listener,
          );
  }

  static async start(certificates?: TestCertificates): Promise<MavenServer> {
    const server = new MavenServer(certificates);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** The repository's root, with a slash at its end. */
  get url(): URL {
    return new URL(`${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}/maven/`);
  }

  /** A file below the root, with its checksum files; by default the one that every repository has. */
  put(path: string, content: Uint8Array, digests: readonly string[] = ["sha1"]): void {
    this.on(path, (_request, response) => response.end(content));
    for (const digest of digests) this.putText(`${path}.${digest}`, createHash(digest).update(content).digest("hex"));
  }

  putText(path: string, text: string): void {
    this.on(path, (_request, response) => response.end(text));
  }

  on(path: string, handler: Handler): void {
    this.#handlers.set(`/maven/${path}`, handler);
  }

  pathsAsked(): readonly string[] {
    return this.requests.map(({ path }) => path.replace("/maven/", ""));
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    const { socket } = request;
    const certified = "authorized" in socket && socket.authorized === true;
    this.requests.push({ path, authorization: request.headers.authorization, certified });
    const handler = this.#handlers.get(path);
    if (handler !== undefined) return handler(request, response);
    response.writeHead(404).end("nothing here");
  }
}
