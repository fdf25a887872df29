import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TestCertificates } from "./test-certificates.ts";

export interface ServedFile {
  readonly content: Uint8Array;
  /** By default a strong one of the content; undefined: the server has none. */
  readonly etag?: string | undefined;
  readonly lastModified?: string;
}

export interface FileRequest {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A web server on loopback with ranges, versions, and the faults that a test asks for. Whoever starts it closes it. */
export class FileServer {
  readonly requests: FileRequest[] = [];
  /** After how many bytes each of the next answers stops, until `cut` breaks its connection. */
  readonly cuts: number[] = [];
  /** Takes a range whatever version it was asked of. */
  ignoresIfRange = false;
  ignoresRange = false;
  /** The headers that a request has to have. */
  needs: Readonly<Record<string, string>> = {};
  readonly #files = new Map<string, ServedFile>();
  readonly #handlers = new Map<string, Handler>();
  readonly #server: Server;
  readonly #scheme: string;
  #held: ServerResponse | undefined;

  private constructor(certificates: TestCertificates | undefined) {
    const listener: Handler = (request, response) => this.#answer(request, response);
    this.#scheme = certificates === undefined ? "http" : "https";
    this.#server = certificates === undefined ? createServer(listener) : createHttpsServer({ ...certificates.server }, listener);
  }

  static async start(certificates?: TestCertificates): Promise<FileServer> {
    const server = new FileServer(certificates);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  url(path: string): string {
    return `${this.#scheme}://${this.host}${path}`;
  }

  put(path: string, content: Uint8Array, more: Partial<ServedFile> = {}): void {
    this.#files.set(path, { content, etag: `"${createHash("md5").update(content).digest("hex")}"`, ...more });
  }

  remove(path: string): void {
    this.#files.delete(path);
  }

  on(path: string, handler: Handler): void {
    this.#handlers.set(path, handler);
  }

  redirect(path: string, location: string, status = 302): void {
    this.on(path, (_request, response) => response.writeHead(status, { location }).end("elsewhere"));
  }

  /** What was asked for, with the range where there was one. */
  asked(): readonly string[] {
    return this.requests.map(({ path, headers }) => `${path}${headers.range === undefined ? "" : ` ${headers.range}`}`);
  }

  /** Breaks the connection of the answer that stopped last. */
  cut(): void {
    this.#held?.destroy();
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? "";
    this.requests.push({ path, headers: request.headers });
    if (Object.entries(this.needs).some(([name, value]) => request.headers[name] !== value)) {
      return void response.writeHead(401).end("no access");
    }
    const handler = this.#handlers.get(path);
    if (handler !== undefined) return handler(request, response);
    const file = this.#files.get(path.split("?")[0]!);
    if (file === undefined) return void response.writeHead(404).end("nothing here");
    return this.#send(request, response, file);
  }

  #send(request: IncomingMessage, response: ServerResponse, { content, etag, lastModified }: ServedFile): void {
    const { range, "if-range": ifRange, "if-none-match": ifNoneMatch, "if-modified-since": ifModifiedSince } = request.headers;
    const version = {
      ...(etag === undefined ? {} : { etag }),
      ...(lastModified === undefined ? {} : { "last-modified": lastModified }),
    };
    if (ifNoneMatch !== undefined ? ifNoneMatch === etag : ifModifiedSince !== undefined && ifModifiedSince === lastModified) {
      return void response.writeHead(304, version).end();
    }
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? "0");
    const isSame = this.ignoresIfRange || ifRange === etag || ifRange === lastModified;
    if (range === undefined || this.ignoresRange || !isSame) {
      return this.#write(response.writeHead(200, { ...version, "content-length": content.byteLength }), content);
    }
    if (from >= content.byteLength) {
      return void response.writeHead(416, { "content-range": `bytes */${content.byteLength}` }).end();
    }
    const part = content.subarray(from);
    response.writeHead(206, {
      ...version,
      "content-length": part.byteLength,
      "content-range": `bytes ${from}-${content.byteLength - 1}/${content.byteLength}`,
    });
    return this.#write(response, part);
  }

  #write(response: ServerResponse, bytes: Uint8Array): void {
    const cut = this.cuts.shift();
    if (cut === undefined || cut >= bytes.byteLength) return void response.end(bytes);
    this.#held = response;
    response.write(bytes.subarray(0, cut));
  }
}
