/**
 * What isomorphic-git needs of a file system for a `gitdir`, in memory: a store is only a cache, so nothing has to outlive the process.
 * Folders exist as soon as something lies below them.
 */
export class MemoryStore {
  readonly #files = new Map<string, ArrayBuffer>();
  readonly #folders = new Map<string, Set<string>>();
  #bytes = 0;

  /** The weight of all files together. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The `fs` to hand to isomorphic-git. */
  readonly fs = {
    promises: {
      // Before each operation isomorphic-git asks for no file at all, twice, to see whether a promise comes back.
      readFile: async (path?: string, options?: { readonly encoding?: string } | string) =>
        path === undefined ? "" : this.#readFile(path, options),
      writeFile: async (path: string, content: Uint8Array | string) => this.#writeFile(path, content),
      unlink: async (path: string) => this.#unlink(path),
      readdir: async (path: string) => this.#readFolder(path),
      mkdir: async (path: string) => this.#addFolder(normalize(path)),
      rmdir: async () => undefined, // Empty folders do no harm.
      stat: async (path: string) => this.#stat(path),
      lstat: async (path: string) => this.#stat(path),
      readlink: async (path: string) => missing(path),
      symlink: async (_target: string, path: string) => {
        throw Object.assign(new Error(`a memory store has no symbolic links: ${path}`), { code: "EPERM" });
      },
    },
  };

  #readFile(path: string, options?: { readonly encoding?: string } | string): ArrayBuffer | string {
    const name = normalize(path);
    const content = this.#files.get(name);
    if (content === undefined) return missing(path);
    const encoding = typeof options === "string" ? options : options?.encoding;
    // Without an encoding as an ArrayBuffer: isomorphic-git copies everything else, packs included, and this it only wraps.
    return encoding === undefined ? content : Buffer.from(content).toString("utf8");
  }

  #writeFile(path: string, content: Uint8Array | string): void {
    const name = normalize(path);
    const bytes = Uint8Array.from(typeof content === "string" ? Buffer.from(content) : content).buffer;
    this.#bytes += bytes.byteLength - (this.#files.get(name)?.byteLength ?? 0);
    this.#files.set(name, bytes);
    this.#addToParent(name);
  }

  #unlink(path: string): void {
    const name = normalize(path);
    const content = this.#files.get(name);
    if (content === undefined) return missing(path);
    this.#bytes -= content.byteLength;
    this.#files.delete(name);
    this.#folders.get(parentOf(name))?.delete(baseOf(name));
  }

  #readFolder(path: string): string[] {
    const name = normalize(path);
    const entries = this.#folders.get(name);
    return entries === undefined ? missing(path) : [...entries];
  }

  #addFolder(name: string): void {
    if (this.#folders.has(name)) return;
    this.#folders.set(name, new Set());
    if (name !== "") this.#addToParent(name);
  }

  #addToParent(name: string): void {
    this.#addFolder(parentOf(name));
    this.#folders.get(parentOf(name))!.add(baseOf(name)); // made in the line above
  }

  #stat(path: string) {
    const name = normalize(path);
    const size = this.#files.get(name)?.byteLength;
    const isFolder = this.#folders.has(name);
    if (size === undefined && !isFolder) return missing(path);
    const mode = isFolder ? 0o040000 : 0o100644;
    const is = { isDirectory: () => isFolder, isFile: () => !isFolder, isSymbolicLink: () => false };
    return { ...is, mode, size: size ?? 0, ctimeMs: 0, mtimeMs: 0, dev: 0, ino: 0, uid: 0, gid: 0 };
  }
}

function missing(path: string): never {
  throw Object.assign(new Error(`no such file in the memory store: ${path}`), { code: "ENOENT" });
}

/** Without slashes at either end, doubled ones and single dots. Called several times for each object, hence the short way. */
function normalize(path: string): string {
  if (/^\/[^/](?!.*(?:\/\/|\/\.\/|\/$))/.test(path)) return path.slice(1);
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

function parentOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

function baseOf(name: string): string {
  return name.slice(name.lastIndexOf("/") + 1);
}
