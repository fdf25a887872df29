import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { messageOf, type Retry } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";

/** What Flink takes as a file name; anything else could break out of the header it stands in. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.jar$/;

export interface JarFile {
  /** Under this name it is uploaded. */
  readonly fileName: string;
  /** Where its bytes lie. */
  readonly path: string;
  readonly size: number;
}

export interface MultipartUpload {
  readonly contentType: string;
  readonly contentLength: number;
  /** May be read once. Fails when the file does not have the size that was announced. */
  readonly body: Readable;
}

/** The jar on this machine's disk is not what it was said to be: nothing of it has come to count with Flink. */
export class JarFileError extends Error {
  override readonly name = "JarFileError";
  readonly code = "jar-file";
  readonly retry: Retry = "next-pass";
}

/** A multipart body with one file, streamed from the disk: a jar never lies in memory as a whole. */
export function buildUpload(jar: JarFile): MultipartUpload {
  if (!FILE_NAME.test(jar.fileName)) throw new TypeError(`${JSON.stringify(jar.fileName)} is no name for an uploaded jar`);
  const boundary = `penstock-${randomUUID()}`;
  const head = Buffer.from(
    `--${boundary}\r\nContent-Disposition: form-data; name="jarfile"; filename="${jar.fileName}"\r\nContent-Type: application/x-java-archive\r\n\r\n`,
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    contentLength: head.length + jar.size + tail.length,
    body: Readable.from(streamParts(head, jar, tail)),
  };
}

async function* streamParts(head: Uint8Array, jar: JarFile, tail: Uint8Array): AsyncGenerator<Uint8Array> {
  yield head;
  let sent = 0;
  for await (const chunk of readFile(jar)) {
    sent += chunk.byteLength;
    if (sent > jar.size) break;
    yield chunk;
  }
  if (sent !== jar.size) throw new JarFileError(`${jar.fileName} does not have the ${jar.size} bytes that it had before`);
  yield tail;
}

async function* readFile(jar: JarFile): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(jar.path) as AsyncIterable<Uint8Array>;
  } catch (cause) {
    throw new JarFileError(`${jar.fileName} cannot be read: ${oneLine(messageOf(cause), 200)}`, { cause });
  }
}
