import { LAUNCHER_CLASS_NAME, LAUNCHER_VERSION, launcherClass } from "../flink/launcher/launcher-class.ts";
import type { JarFile } from "../flink/multipart.ts";
import type { JarCache } from "./cache.ts";
import { addClassToJar } from "./with-launcher.ts";

export interface LauncherJar {
  readonly file: JarFile;
  /** It was made for this call. */
  readonly isNew: boolean;
}

/** Copies of jars with the launcher in them, kept in the cache beside the jars themselves. */
export class LauncherJars {
  readonly #cache: JarCache;
  readonly #timeoutMs: number;
  readonly #closing: AbortSignal;
  readonly #jars = new Map<string, Promise<LauncherJar>>();

  constructor(cache: JarCache, timeoutMs: number, closing: AbortSignal) {
    this.#cache = cache;
    this.#timeoutMs = timeoutMs;
    this.#closing = closing;
  }

  /** Built once per process, so that its bytes need no checking. Calls for one jar come one after the other. */
  async of(sha256: string, from: string, fileName: string): Promise<LauncherJar> {
    const jar = this.#reuseOrBuild(this.#jars.get(sha256), () => this.#build(sha256, from, fileName));
    this.#jars.set(sha256, jar);
    return jar;
  }

  /** When nothing is being built any more. Never rejects. */
  async onIdle(): Promise<void> {
    await Promise.allSettled(this.#jars.values());
  }

  async #reuseOrBuild(before: Promise<LauncherJar> | undefined, build: () => Promise<LauncherJar>): Promise<LauncherJar> {
    const built = await before?.catch(() => undefined); // whoever asked for that one was told
    return built !== undefined && (await this.#cache.hasDerived(built.file)) ? { ...built, isNew: false } : build();
  }

  async #build(sha256: string, from: string, fileName: string): Promise<LauncherJar> {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(this.#timeoutMs)]);
    const { file, size } = await this.#cache.derive(sha256, LAUNCHER_VERSION, (to) =>
      addClassToJar({ from, to, className: LAUNCHER_CLASS_NAME, classBytes: launcherClass() }, signal),
    );
    return { file: { path: file, size, fileName }, isNew: true };
  }
}
