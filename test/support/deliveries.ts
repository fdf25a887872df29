import { createHmac } from "node:crypto";

/** A webhook as a forge sends it: what stands in the documentation of each, with what the tests are about in its place. */
export interface TestDelivery {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface PushOptions {
  /** `refs/heads/main` when not given. */
  readonly ref?: string;
  readonly after?: string;
  /** `jobs`: that is the path below which the test's Git server has its repository. */
  readonly repository?: string;
  readonly author?: { readonly name: string; readonly email: string };
}

const ADA = { name: "Ada Tester", email: "ada@example.com" };
const COMMIT = "da1560886d4f094c3e6c9ef40349f7d38b5d27d7";

export function hexHmac(body: string, secret: string): string {
  return createHmac("sha256", secret).update(body).digest("hex");
}

export function githubDelivery(event: string, payload: unknown, secret: string): TestDelivery {
  const body = JSON.stringify(payload);
  return {
    path: "webhook/github",
    headers: {
      "content-type": "application/json",
      "user-agent": "GitHub-Hookshot/044aadd",
      "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
      "x-github-event": event,
      "x-hub-signature": `sha1=${createHmac("sha1", secret).update(body).digest("hex")}`,
      "x-hub-signature-256": `sha256=${hexHmac(body, secret)}`,
    },
    body,
  };
}

export function githubPush(secret: string, options: PushOptions = {}): TestDelivery {
  return githubDelivery("push", pushOf(options), secret);
}

/** Forgejo sends the same and some more. */
export function giteaPush(secret: string, options: PushOptions = {}): TestDelivery {
  return giteaDelivery("push", pushOf(options), secret);
}

export function giteaDelivery(event: string, payload: unknown, secret: string): TestDelivery {
  const body = JSON.stringify(payload);
  return {
    path: "webhook/gitea",
    headers: {
      "content-type": "application/json",
      "x-github-event": event,
      "x-gogs-event": event,
      "x-gitea-delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473",
      "x-gitea-event": event,
      "x-gitea-signature": hexHmac(body, secret),
    },
    body,
  };
}

export function gitlabDelivery(event: string, payload: unknown, secret: string): TestDelivery {
  return {
    path: "webhook/gitlab",
    headers: {
      "content-type": "application/json",
      "user-agent": "GitLab/17.0.0-pre",
      "x-gitlab-event": event,
      "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e",
      "x-gitlab-token": secret,
    },
    body: JSON.stringify(payload),
  };
}

export function gitlabPush(secret: string, options: PushOptions = {}): TestDelivery {
  const { ref = "refs/heads/main", after = COMMIT, repository = "jobs", author = ADA } = options;
  const payload = {
    object_kind: "push",
    event_name: "push",
    before: "95790bf891e76fee5e1747ab589903a6a1f80f22",
    after,
    ref,
    ref_protected: true,
    checkout_sha: after,
    project: { id: 15, name: "Jobs", path_with_namespace: repository, default_branch: "main" },
    repository: { name: "Jobs", url: `git@example.com:${repository}.git`, git_http_url: `http://example.com/${repository}.git` },
    commits: [{ id: after, message: "change", author }],
    total_commits_count: 1,
  };
  return gitlabDelivery("Push Hook", payload, secret);
}

export function genericDelivery(payload: unknown, secret: string, proof: "hmac" | "bearer"): TestDelivery {
  const body = payload === undefined ? "" : JSON.stringify(payload);
  const headers: Record<string, string> =
    proof === "bearer" ? { authorization: `Bearer ${secret}` } : { "x-penstock-signature": `sha256=${hexHmac(body, secret)}` };
  return {
    path: "webhook/generic",
    headers: { ...headers, ...(body === "" ? {} : { "content-type": "application/json" }) },
    body,
  };
}

/** What GitHub and Gitea have in common. */
function pushOf({ ref = "refs/heads/main", after = COMMIT, repository = "jobs", author = ADA }: PushOptions): unknown {
  return {
    ref,
    before: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    after,
    created: false,
    deleted: false,
    forced: false,
    repository: {
      id: 1,
      name: "jobs",
      full_name: repository,
      clone_url: `https://example.com/${repository}.git`,
      default_branch: "main",
    },
    pusher: ADA,
    commits: [{ id: after, message: "change", author, committer: author }],
    head_commit: { id: after, message: "change", author, committer: author },
  };
}
