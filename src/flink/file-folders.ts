import { opendir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { MAX_FOLDERS, type Folders } from "./folders.ts";

/** `file://` directories, as this machine sees them. */
export const fileFolders: Folders = {
  async namesIn(folder, prefix, signal) {
    const names: string[] = [];
    try {
      for await (const entry of await opendir(pathOf(folder))) {
        signal.throwIfAborted();
        if (entry.isFile() || !entry.name.startsWith(prefix)) continue;
        names.push(entry.name);
        if (names.length > MAX_FOLDERS) throw new Error(`more than ${MAX_FOLDERS} folders in ${folder}`);
      }
      return names;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },

  async writtenAtMs(file) {
    try {
      const found = await stat(pathOf(file));
      return found.isFile() && found.size > 0 ? found.mtimeMs : undefined;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  },

  /** By the folder around it. One that every machine has says nothing: what should be there is rather not mounted here. */
  async sees(missingFolder) {
    const parent = dirname(pathOf(missingFolder));
    return dirname(parent) !== parent && (await isFolder(parent));
  },
};

/** Whether it is a `file:` uri without a host: `file:/a` and `file:///a`. */
export function isFileUri(uri: string): boolean {
  return /^file:\/(?!\/[^/])/.test(uri);
}

/** Flink's uris are not escaped: what looks like an escape is part of a name. */
export function pathOf(uri: string): string {
  return fileURLToPath(new URL(uri.replaceAll("%", "%25").replaceAll("?", "%3F").replaceAll("#", "%23")));
}

export function isMissing(error: unknown): boolean {
  const code: unknown = error instanceof Error ? Reflect.get(error, "code") : undefined;
  return code === "ENOENT" || code === "ENOTDIR";
}

export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
