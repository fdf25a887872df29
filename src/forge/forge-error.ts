import type { Retry } from "../common/errors.ts";
import { oneLine } from "../common/text.ts";

/** The forge did not do it. `retryAtMs`: it asked for no call before then. */
export class ForgeError extends Error {
  override readonly name = "ForgeError";
  readonly code = "forge";
  readonly retry: Retry;
  readonly data: { readonly endpoint: string; readonly status: number | undefined; readonly retryAtMs: number | undefined };
  constructor(
    endpoint: string,
    because: string,
    more: { readonly status?: number; readonly retryAtMs?: number } & ErrorOptions = {},
  ) {
    super(`the forge: ${endpoint}: ${oneLine(because, 300)}`, more);
    this.retry =
      more.status !== undefined && more.status < 500 && more.retryAtMs === undefined ? "after-input-changes" : "next-pass";
    this.data = { endpoint, status: more.status, retryAtMs: more.retryAtMs };
  }
}
