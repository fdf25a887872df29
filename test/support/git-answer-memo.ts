import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { CgiAnswer } from "./git-faults.ts";

/**
 * What Git answered to a question about refs, as long as the repository's refs and settings are the same bytes. A daemon asks five times a second
 * in tests, and three processes for each answer are most of what such a test costs.
 */
export class GitAnswerMemo {
  readonly #answers = new Map<string, { readonly fingerprint: string; readonly answer: CgiAnswer }>();

  async recall(folder: string, question: string, ask: () => Promise<CgiAnswer>): Promise<CgiAnswer> {
    const fingerprint = await fingerprintOf(folder);
    const known = this.#answers.get(question);
    if (known !== undefined && known.fingerprint === fingerprint) return known.answer;
    const answer = await ask();
    // A ref that moved meanwhile: nobody knows which state the answer is about.
    if ((await fingerprintOf(folder)) === fingerprint) this.#answers.set(question, { fingerprint, answer });
    return answer;
  }
}

/** Everything that such an answer depends on. */
async function fingerprintOf(folder: string): Promise<string> {
  const settings = ["HEAD", "config", "packed-refs"].map((name) => join(folder, name));
  const texts = await Promise.all([...settings.map(readIfThere), readFolder(join(folder, "refs"))]);
  return texts.join("\0");
}

async function readFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const texts = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    return `${entry.name}\0${entry.isDirectory() ? await readFolder(path) : await readIfThere(path)}`;
  });
  return (await Promise.all(texts)).sort().join("\0");
}

async function readIfThere(path: string): Promise<string> {
  return readFile(path, "latin1").catch(() => ""); // Git may take a ref away at any moment.
}
