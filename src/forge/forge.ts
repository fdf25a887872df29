export interface CommitStatus {
  readonly state: "pending" | "success" | "failure";
  /** What the status is about; a later one of the same context takes its place. */
  readonly context: string;
  /** One line; forges show about 140 characters of it. */
  readonly description: string;
}

/** What is told to the people of a forge, and the one thing that is asked of it. Every call may throw a ForgeError. */
export interface Forge {
  /** One comment a request: the one that begins with `marker` is updated in place, and made when there is none. */
  upsertComment(request: number, marker: string, body: string, signal: AbortSignal): Promise<void>;
  /** Saying again what is said already is harmless. */
  setStatus(commit: string, status: CommitStatus, signal: AbortSignal): Promise<void>;
  /** The numbers of the requests that are open, the newest ones when there are too many. */
  readOpenRequests(signal: AbortSignal): Promise<ReadonlySet<number>>;
  close(): Promise<void>;
}
