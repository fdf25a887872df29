import { basename, dirname } from "node:path";
import { watch, type FSWatcher } from "chokidar";
import { messageOf } from "../common/errors.ts";
import type { Log } from "../common/log.ts";

/** Writers are given this time to finish: a file and what it names are often replaced one after the other. */
const SETTLE_MS = 200;
/** How mounted ConfigMaps and Secrets of Kubernetes are swapped: the files are links into a folder that this link names. */
const SWAPPED = "..data";

/**
 * Says when one of some files may have changed, also when a link on the way to it leads elsewhere now. Their folders are watched and not
 * the files: what is renamed into place, or reached by a link, has no lasting file to watch.
 */
export class FileWatch {
  readonly #changed: () => void;
  readonly #log: Log;
  #watcher: FSWatcher | undefined;
  #followed = "";
  #settling: NodeJS.Timeout | undefined;

  constructor(changed: () => void, log: Log) {
    this.#changed = changed;
    this.#log = log;
  }

  /** From when it ends on, changes of these files are seen. Those of before are not watched any more. */
  async follow(files: readonly string[]): Promise<void> {
    const followed = [...files].sort().join("\n");
    if (followed === this.#followed) return;
    this.#followed = followed;
    await this.#watcher?.close();
    const names = new Set([...files.map((file) => basename(file)), SWAPPED]);
    const watcher = watch([...new Set(files.map((file) => dirname(file)))], {
      depth: 0,
      ignoreInitial: true,
      followSymlinks: false,
    });
    this.#watcher = watcher;
    watcher.on("all", (_, path) => {
      if (names.has(basename(path))) this.#settle();
    });
    watcher.on("error", (error) =>
      this.#log.warn(
        { because: messageOf(error) },
        "the configuration's files cannot be watched; they are looked at every minute",
      ),
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    watcher.once("ready", resolve);
    await promise;
  }

  async close(): Promise<void> {
    clearTimeout(this.#settling);
    await this.#watcher?.close();
  }

  #settle(): void {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#changed, SETTLE_MS);
  }
}
