import { HIDDEN } from "./secrets.ts";

/** A shorter one may well be a word of its own, or a part of an id: it is only looked for in sentences, and as a whole word. */
const LONG = 8;

/**
 * Takes secrets out of foreign text: whoever is handed a secret may give it back, such as Flink with what a program's `main` complains
 * about. Knows every secret that was learnt in the life of the process, changed ones as well.
 */
export class Redactor {
  readonly #known = new Set<string>();
  /** The longest first: a part of one would leave the rest behind. */
  #patterns: readonly { readonly form: string; readonly pattern: RegExp }[] = [];

  learn(secret: string): void {
    const forms = formsOf(secret).filter((form) => form !== "" && !this.#known.has(form));
    if (forms.length === 0) return;
    for (const form of forms) this.#known.add(form);
    const patterns = [...this.#patterns, ...forms.map((form) => ({ form, pattern: patternOf(form) }))];
    this.#patterns = patterns.toSorted((a, b) => b.form.length - a.form.length);
  }

  redact(text: string): string {
    let result = text;
    for (const { form, pattern } of this.#patterns) {
      if (form.length >= LONG || /\s/.test(text)) result = result.replaceAll(pattern, HIDDEN);
    }
    return result;
  }

  /** All texts in a value of JSON; the names of its members are nobody's input. */
  redactJson(value: unknown): unknown {
    if (this.#patterns.length === 0) return value;
    if (typeof value === "string") return this.redact(value);
    if (Array.isArray(value)) return value.map((item) => this.redactJson(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.redactJson(member)]));
  }
}

/** As it is, as JSON and Java's properties write it, each of its lines, and as Base64: all that a program may make of an argument. */
function formsOf(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/);
  const longLines = lines.length > 1 ? lines.filter((line) => line.length >= LONG) : [];
  const coded = secret.length >= LONG ? [encodeURIComponent(secret), Buffer.from(secret, "utf8").toString("base64")] : [];
  return [...new Set([secret, JSON.stringify(secret).slice(1, -1), ...coded, ...longLines])];
}

function patternOf(form: string): RegExp {
  const escaped = form.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  return form.length >= LONG ? new RegExp(escaped, "g") : new RegExp(`(?<![\\p{L}\\p{N}])${escaped}(?![\\p{L}\\p{N}])`, "gu");
}
