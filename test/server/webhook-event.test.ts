import { describe, expect, it } from "vitest";
import { decideWebhook, type WebhookDecision } from "../../src/server/webhook-event.ts";
import type { Forge } from "../../src/server/webhook-signature.ts";
import { type PushOptions, type TestDelivery, genericDelivery, giteaDelivery, giteaPush } from "../support/deliveries.ts";
import { githubDelivery, githubPush, gitlabDelivery, gitlabPush } from "../support/deliveries.ts";

const AUTHOR = { name: "Penstock", email: "penstock@localhost" };

function decide({ path, headers, body }: TestDelivery, url = "https://git.example.com/streams/jobs.git"): WebhookDecision {
  const repository = { url: new URL(url), branch: "main" } as never; // all that is looked at
  const forge = path.replace("webhook/", "") as Forge;
  return decideWebhook(
    { forge, headers, body: Buffer.from(body) },
    { repository, status: { branch: "penstock/status", target: "branch", author: AUTHOR } },
  );
}

const PUSHES: readonly (readonly [string, (secret: string, options?: PushOptions) => TestDelivery])[] = [
  ["GitHub", githubPush],
  ["GitLab", gitlabPush],
  ["Gitea", giteaPush],
];
const OURS = { repository: "streams/jobs" };

describe.each(PUSHES)("a push that %s tells of", (_, push) => {
  it("to the branch that is followed wakes", () => {
    expect(decide(push("s", OURS))).toEqual({ kind: "wake", about: "branch", because: "Git is asked where main stands" });
  });

  it.each<[string, PushOptions, string]>([
    ["another branch", { ...OURS, ref: "refs/heads/feature" }, "this is about refs/heads/feature, and main is followed"],
    ["a tag of the branch's name", { ...OURS, ref: "refs/tags/main" }, "this is about refs/tags/main, and main is followed"],
    [
      "the status branch",
      { ...OURS, ref: "refs/heads/penstock/status" },
      "penstock/status is the branch that the daemon itself writes",
    ],
    ["the daemon's own commits", { ...OURS, author: AUTHOR }, "these are the daemon's own commits"],
    [
      "another repository",
      { repository: "streams/other" },
      "this is about the repository streams/other, which is not the one that is followed",
    ],
  ])("to %s is ignored, and it is said why", (_name, options, because) => {
    expect(decide(push("s", options))).toEqual({ kind: "ignored", because });
  });

  it("is told from others by the path alone, since servers have many names", () => {
    for (const url of [
      "http://gitea:3000/Streams/Jobs",
      "https://example.com/git/streams/jobs.git/",
      "https://example.com/jobs.git", // the end of the path that the forge has
    ])
      expect(decide(push("s", OURS), url)).toMatchObject({ kind: "wake" });
    expect(decide(push("s", { repository: "obs" }))).toMatchObject({ kind: "ignored" });
  });
});

describe("a webhook", () => {
  it.each([
    [
      "GitHub",
      githubDelivery("pull_request", { action: "synchronize", number: 7, repository: { full_name: "streams/jobs" } }, "s"),
    ],
    [
      "Gitea",
      giteaDelivery("pull_request", { action: "synchronized", number: 7, repository: { full_name: "streams/jobs" } }, "s"),
    ],
    [
      "GitLab",
      gitlabDelivery(
        "Merge Request Hook",
        { object_kind: "merge_request", project: { path_with_namespace: "streams/jobs" } },
        "s",
      ),
    ],
    [
      "GitLab's whole instance",
      gitlabDelivery("System Hook", { object_kind: "merge_request", project: { path_with_namespace: "streams/jobs" } }, "s"),
    ],
  ])("about a request of %s wakes for the open requests", (_, delivery) => {
    expect(decide(delivery)).toEqual({ kind: "wake", about: "requests", because: "open requests are looked at" });
  });

  it.each([
    githubDelivery("ping", { zen: "Keep it logically awesome." }, "s"),
    githubDelivery("issues", { action: "opened" }, "s"),
    gitlabDelivery("Tag Push Hook", { object_kind: "tag_push" }, "s"),
    gitlabDelivery("System Hook", { event_name: "project_create" }, "s"),
    { path: "webhook/github", headers: {}, body: "{}" },
  ])("about something else is ignored: %#", (delivery) => {
    expect(decide(delivery)).toEqual({ kind: "ignored", because: "this is neither about a push nor about a pull request" });
  });

  it("that GitHub sends as a form, as it does unless told otherwise, is read", () => {
    const { headers, body } = githubPush("s", OURS);
    const form = { path: "webhook/github", headers: { ...headers, "content-type": "application/x-www-form-urlencoded" } };
    const payload = new URLSearchParams({ payload: body }).toString();
    expect(decide({ ...form, body: payload })).toMatchObject({ kind: "wake" });
    expect(decide({ ...form, body: "other=1" })).toMatchObject({ kind: "unreadable" });
  });

  it.each([
    [undefined, "wake"],
    [{}, "wake"],
    [{ ref: "main" }, "wake"],
    [{ ref: "refs/heads/main", repository: "https://git.internal/streams/jobs.git" }, "wake"],
    [{ ref: "feature" }, "ignored"],
    [{ repository: "streams/other" }, "ignored"],
  ] as const)("of no forge says as much as it likes: %j", (payload, kind) => {
    expect(decide(genericDelivery(payload, "s", "bearer")).kind).toBe(kind);
  });

  it.each(["{", "[]", "1", '"main"', "null", "\u0000"])("with the body %j is unreadable", (body) => {
    const { headers } = githubPush("s");
    expect(decide({ path: "webhook/github", headers, body })).toEqual({
      kind: "unreadable",
      because: "the body is no JSON object",
    });
  });

  it("with odd values in odd places does no harm", () => {
    const odd = { ref: 7, repository: [], project: "x", commits: [null, { author: 1 }] };
    expect(decide(githubDelivery("push", odd, "s"))).toMatchObject({ kind: "wake" });
    const escape = githubPush("s", { ...OURS, ref: "refs/heads/\u001b[31m" });
    expect(decide(escape).because).toBe("this is about refs/heads/ [31m, and main is followed");
  });
});
