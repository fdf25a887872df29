import { execFile } from "node:child_process";
import { mkdtemp, open, rm, rmdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const FILLER = "filler";

/** A file system of its own that is full when it is full. `await using` unmounts it: name it before who writes to it. */
export interface SmallDisk extends AsyncDisposable {
  readonly folder: string;
  /** Writes until nothing more fits, but for `leaving` bytes. */
  fill(leaving?: number): Promise<void>;
  /** Makes the room again. */
  empty(): Promise<void>;
}

/** Mounting is root's: a test that needs a full disk fails where it cannot have one. */
export async function mountSmallDisk(bytes: number): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-disk-"));
  try {
    await run("mount", ["-t", "tmpfs", "-o", `size=${bytes}`, "penstock-test", folder]);
  } catch (cause) {
    await rmdir(folder);
    throw new Error("no small file system can be mounted, which takes root: run the tests as root, as .ci/run does", { cause });
  }
  const empty = async (): Promise<void> => rm(join(folder, FILLER), { force: true });
  return {
    folder,
    async fill(leaving = 0) {
      await empty();
      const file = await open(join(folder, FILLER), "w");
      try {
        let size = 0;
        for (const step of [65_536, 4096, 1]) size = await writeUntilFull(file, size, Buffer.alloc(step));
        await file.truncate(Math.max(0, size - leaving));
      } finally {
        await file.close();
      }
    },
    empty,
    async [Symbol.asyncDispose]() {
      await run("umount", [folder]);
      await rmdir(folder);
    },
  };
}

async function writeUntilFull(file: Awaited<ReturnType<typeof open>>, from: number, chunk: Buffer): Promise<number> {
  for (let size = from; ; size += chunk.byteLength) {
    try {
      const { bytesWritten } = await file.write(chunk, 0, chunk.byteLength, size);
      if (bytesWritten < chunk.byteLength) return size + bytesWritten;
    } catch (error) {
      if (error instanceof Error && Reflect.get(error, "code") === "ENOSPC") return size;
      throw error;
    }
  }
}
