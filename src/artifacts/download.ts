import type { IncomingFile } from "./incoming-file.ts";

/** What tells one version of a file at its source from another: a strong ETag with its quotes, or a date of change. */
export type Validator = string;

/** The bytes of one file as they come, perhaps over several calls. */
export interface Download {
  readonly incoming: IncomingFile;
  /** Of the version that the bytes so far are of; without one nothing can be added to them. */
  validator: Validator | undefined;
}

/** How the bytes of a source that may change were got. */
export type Fetched =
  | { readonly kind: "fetched"; readonly validator: Validator | undefined }
  /** The source has what it had when it was asked last. */
  | { readonly kind: "unchanged" };

const MAX_KEPT = 4;

/**
 * Downloads that were cut off and can be gone on with, by the place that they come from. Only for a few, and only for the life of the
 * process: whoever creates it closes it.
 */
export class CutDownloads {
  readonly #kept = new Map<string, Download>();

  /** The caller has it to itself from here on, and gives it back by `keep` or ends it. */
  take(place: string): Download | undefined {
    const found = this.#kept.get(place);
    this.#kept.delete(place);
    return found;
  }

  async keep(place: string, download: Download): Promise<void> {
    const [oldest] = this.#kept.keys();
    const leaving = this.#kept.has(place) ? place : this.#kept.size >= MAX_KEPT ? oldest : undefined;
    const left = leaving === undefined ? undefined : this.take(leaving);
    this.#kept.set(place, download);
    await left?.incoming.discard();
  }

  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    await Promise.all(all.map(async ({ incoming }) => incoming.discard()));
  }
}
