import { getRemoteInfo2, listServerRefs } from "isomorphic-git";
import { GitProtocolError } from "./errors.ts";
import type { GitTransport } from "./http-transport.ts";

export type RemoteHead =
  | { readonly kind: "at"; readonly oid: string }
  /** The repository has other branches, or at least tags. */
  | { readonly kind: "branch-missing"; readonly otherBranches: number }
  /** The repository has no refs at all. */
  | { readonly kind: "empty" };

/**
 * Where a branch stands on the server. One small question in protocol version 2; an answer without the branch is believed only after
 * a second look at the whole list in version 1, so "missing" never comes from a filter, a cache or a list that was cut.
 */
export async function readRemoteBranch(transport: GitTransport, branch: string, signal: AbortSignal): Promise<RemoteHead> {
  const wanted = fullRef(branch);
  // The prefix refs/heads/main also gives refs/heads/main2.
  const first = await listRefs(transport, wanted, signal);
  const found = first.find(({ ref }) => ref === wanted);
  if (found !== undefined) return { kind: "at", oid: found.oid };
  const all = await listAllRefs(transport, signal);
  const appeared = all.find(({ ref }) => ref === wanted);
  if (appeared !== undefined) return { kind: "at", oid: appeared.oid };
  if (all.length === 0) return { kind: "empty" };
  return { kind: "branch-missing", otherBranches: all.filter(({ ref }) => ref.startsWith("refs/heads/")).length };
}

/** A branch by its short name, anything else by its full one: `refs/pull/7/head`. Git takes no branch for one whose name begins with `refs/`. */
function fullRef(name: string): string {
  return name.startsWith("refs/") ? name : `refs/heads/${name}`;
}

interface Ref {
  readonly ref: string;
  readonly oid: string;
}

// A new object for the headers each time: isomorphic-git writes into it. getRemoteInfo2 comes first, because of an empty repository
// listServerRefs asks in version 2 whatever it was told, also a server that knows only version 1.

async function listRefs(transport: GitTransport, prefix: string, signal: AbortSignal): Promise<readonly Ref[]> {
  const http = transport.client(signal);
  const info = await getRemoteInfo2({ http, url: transport.url, headers: {}, protocolVersion: 2 });
  const refs = info.refs ?? (await listServerRefs({ http, url: transport.url, headers: {}, prefix }));
  return checked(refs, transport);
}

async function listAllRefs(transport: GitTransport, signal: AbortSignal): Promise<readonly Ref[]> {
  const info = await getRemoteInfo2({ http: transport.client(signal), url: transport.url, headers: {}, protocolVersion: 1 });
  return info.refs === undefined ? listRefs(transport, "refs/", signal) : checked(info.refs, transport);
}

function checked(refs: readonly Ref[], transport: GitTransport): readonly Ref[] {
  const odd = refs.find(({ ref, oid }) => !/^[0-9a-f]{40}$/.test(oid) || ref === undefined);
  if (odd !== undefined) throw new GitProtocolError(transport.publicUrl, `a ref with the object name "${odd.oid}"`);
  return refs;
}
