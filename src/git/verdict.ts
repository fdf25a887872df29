/** Whether a commit is signed by a listed key; `because` is the end of a sentence that begins with the commit. */
export type Verdict = { readonly kind: "verified"; readonly by: string } | { readonly kind: "refused"; readonly because: string };

/**
 * When a key has to be valid. `new`: now, and when it signed, for a commit that is to be applied. `kept`: when it signed, for one that was applied:
 * that a key expires must not stop the healing of what it once let in. A revoked key, or one that is not listed any more, counts for neither.
 */
export type Moment = { readonly kind: "new" | "kept"; readonly nowMs: number; readonly committedAtMs: number };

export function refused(because: string): Verdict {
  return { kind: "refused", because };
}
