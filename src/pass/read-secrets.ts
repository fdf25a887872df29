import { join } from "node:path";
import { sha256Hex } from "../common/hash.ts";
import type { Redactor } from "../common/redactor.ts";
import { Secret } from "../common/secrets.ts";
import { readFileAtMost } from "../config/read-file.ts";

export interface WantedSecret {
  readonly project: string;
  readonly name: string;
}

export type SecretSeen =
  /** `digest`: the first 8 digits of the SHA-256 of its text. */
  | { readonly kind: "read"; readonly value: Secret; readonly digest: string }
  | { readonly kind: "missing"; readonly because: string }
  /** Not read, and taken to be there and right: for whoever only plans. */
  | { readonly kind: "assumed" };

/** By `secretKey`. */
export type SecretsSeen = ReadonlyMap<string, SecretSeen>;

const LIMITS = { maxBytes: 64 * 1024, timeoutMs: 2000 };

export function secretKey({ project, name }: WantedSecret): string {
  return `${project}/${name}`;
}

/**
 * Reads secrets of Jobs from `<dir>/<project>/<name>`, each time anew: a mounted folder changes under our feet. Names of projects and
 * secrets were checked and hold no `/`. What is read is known to the redactor before anybody can use it.
 */
export class SecretReader {
  readonly #dir: string | undefined;
  readonly #redactor: Redactor;

  constructor(dir: string | undefined, redactor: Redactor) {
    this.#dir = dir;
    this.#redactor = redactor;
  }

  async read(wanted: readonly WantedSecret[], signal: AbortSignal): Promise<SecretsSeen> {
    const unique = new Map(wanted.map((secret) => [secretKey(secret), secret]));
    return new Map(
      await Promise.all([...unique].map(async ([key, secret]) => [key, await this.#readOne(secret, signal)] as const)),
    );
  }

  async #readOne({ project, name }: WantedSecret, signal: AbortSignal): Promise<SecretSeen> {
    if (this.#dir === undefined) return missing("the daemon's configuration names no secrets.dir");
    const read = await readFileAtMost(join(this.#dir, project, name), LIMITS, signal);
    if ("problem" in read) return missing(`file ${project}/${name} of secrets.dir ${read.problem}`);
    const text = decode(read.content);
    if (text === undefined) return missing(`file ${project}/${name} of secrets.dir is not UTF-8 text`);
    if (text === "") return missing(`file ${project}/${name} of secrets.dir is empty`);
    this.#redactor.learn(text);
    return { kind: "read", value: new Secret(text), digest: sha256Hex(text).slice(0, 8) };
  }
}

/** Without the line break that editors and `echo` leave at the end. */
function decode(content: Buffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content).replace(/\r?\n$/, "");
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined; // the only failure that the decoder knows
  }
}

function missing(because: string): SecretSeen {
  return { kind: "missing", because };
}
