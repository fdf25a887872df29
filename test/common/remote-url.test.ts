import { describe, expect, it } from "vitest";
import { checkRemoteUrl } from "../../src/common/remote-url.ts";

describe("checkRemoteUrl", () => {
  it.each([
    ["https://git.example.com/streams/jobs.git"],
    ["https://git.example.com:8443/streams/jobs"],
    ["http://127.0.0.1:3000/jobs.git"],
    ["http://localhost/jobs.git"],
    ["http://[::1]:3000/jobs.git"],
  ])("takes %s", (text) => {
    expect(checkRemoteUrl(text, { allowPlainHttp: false })).toEqual({ url: new URL(text) });
  });

  it("takes plain http to another machine only when that is allowed", () => {
    const text = "http://git.internal/jobs.git";
    expect(checkRemoteUrl(text, { allowPlainHttp: true })).toEqual({ url: new URL(text) });
    expect(checkRemoteUrl(text, { allowPlainHttp: false })).toEqual({
      problem: expect.stringMatching(/https:\/\/git\.internal\/jobs\.git, or set repository\.allowPlainHttp: true/),
    });
  });

  it.each([
    ["git@github.com:streams/jobs.git", "use https://github.com/streams/jobs.git"],
    ["github.com:streams/jobs.git", "use https://github.com/streams/jobs.git"],
    ["ssh://git@git.example.com:2222/streams/jobs.git", "use https://git.example.com/streams/jobs.git"],
    ["git://git.example.com/jobs.git", "use https://git.example.com/jobs.git"],
    ["file:///srv/git/jobs.git", "served over HTTP"],
    ["/srv/git/jobs.git", "https:// address"],
    ["../jobs.git", "https:// address"],
    ["C:\\git\\jobs.git", "https:// address"],
    ["ftp://git.example.com/jobs.git", "https:// address"],
    ["https://", "https:// address"],
    ["", "https:// address"],
    ["https://git.example.com/jobs.git?private_token=s3cret", "query"],
    ["https://penstock:s3cret@git.example.com/jobs.git", "repository.credentials"],
    ["https://s3cret@git.example.com/jobs.git", "repository.credentials"],
    ["ssh://git:s3cret@git.example.com/jobs.git?t=s3cret", "use https://git.example.com/jobs.git"],
    ["git:s3cret@git.example.com:jobs.git", "use https://git.example.com/jobs.git"],
  ])("refuses %j and says the way out", (text, wayOut) => {
    const checked = checkRemoteUrl(text, { allowPlainHttp: false });
    expect(checked).toEqual({ problem: expect.stringContaining(wayOut) });
    expect(JSON.stringify(checked)).not.toContain("s3cret");
  });
});
