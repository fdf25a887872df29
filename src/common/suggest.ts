import { distance } from "fastest-levenshtein";
import { oneLine } from "./text.ts";

/** Nothing that people misspell is longer, and what two texts of a megabyte have in common takes minutes to find. */
const MAX_LENGTH = 300;

/** The candidate that was probably meant by `word`, or undefined when none is near: at most a third of it may differ, or two neighbours be swapped. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > MAX_LENGTH) return undefined;
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    // Each letter more or less is one that differs.
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const lower = candidate.toLowerCase();
    const found = isSwapped(wanted, lower) ? 1 : distance(wanted, lower);
    if (found < bestDistance) [best, bestDistance] = [candidate, found];
  }
  return best;
}

/** Whether two neighbouring letters changed places (`ulr`): the commonest slip of all, and too far for short words otherwise. */
function isSwapped(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return at + 1 < a.length && a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2);
}

/** `; did you mean x?`, or nothing. */
export function didYouMean(word: string, candidates: Iterable<string>): string {
  const found = nearest(word, candidates);
  return found === undefined ? "" : `; did you mean ${oneLine(found, MAX_LENGTH)}?`;
}
