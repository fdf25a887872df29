import { describe, expect, it } from "vitest";
import { AnswerTooLargeError, readAtMost } from "../../src/common/http.ts";

describe("readAtMost", () => {
  it("gives the whole body up to the limit", async () => {
    expect((await readAtMost(chunks("ab", "cd"), 4)).toString()).toBe("abcd");
    expect((await readAtMost(chunks(), 0)).length).toBe(0);
  });

  it("stops reading at the first byte too much", async () => {
    const taken: string[] = [];
    const reading = readAtMost(chunksThatTell(taken, "ab", "cd", "ef", "gh"), 3);
    await expect(reading).rejects.toThrow(AnswerTooLargeError);
    await expect(reading).rejects.toMatchObject({ code: "answer-too-large", message: "the answer is larger than 3 B" });
    expect(taken).toEqual(["ab", "cd", "closed"]);
  });
});

async function* chunks(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function* chunksThatTell(taken: string[], ...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  try {
    for (const text of texts) {
      taken.push(text);
      yield Buffer.from(text);
    }
  } finally {
    taken.push("closed");
  }
}
