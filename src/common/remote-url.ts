export type RemoteUrl = { readonly url: URL } | { readonly problem: string };

/**
 * The URL of a Git repository that Penstock can reach: https anywhere, http on loopback or when it is allowed. Everything else gets
 * a `problem` in one line that says the way out and never repeats credentials.
 */
export function checkRemoteUrl(text: string, options: { readonly allowPlainHttp: boolean }): RemoteUrl {
  const written = text.trim();
  // Git's short form of SSH, `git@host:path` or `host.name:path`; a URL parser would take the host for a scheme.
  const scp = /^(?:[^@/\s]+@([^:/\s]+)|([^:@/\s]+\.[^:@/\s]+)):(?!\/\/)(.+)$/.exec(written);
  if (scp !== null) return { problem: sshProblem(`https://${scp[1] ?? scp[2]}/${scp[3]!.replace(/^\/+/, "")}`) };
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? URL.parse(written) : null;
  if (url === null) return { problem: "this is no URL; give the repository's https:// address" };
  const instead = `https://${url.hostname}${url.pathname}`;
  switch (url.protocol) {
    case "https:":
    case "http:":
      return checkHttp(url, options.allowPlainHttp);
    case "ssh:":
    case "git+ssh:":
      return { problem: sshProblem(instead) };
    case "git:":
      return { problem: `git:// is neither encrypted nor authenticated; use ${instead}` };
    case "file:":
      return { problem: "file:// is not supported: a local repository has to be served over HTTP; give its https:// address" };
    default:
      return { problem: `${url.protocol}// is not supported; give the repository's https:// address` };
  }
}

function sshProblem(instead: string): string {
  return `SSH is not supported; use ${instead} with an access token as the password (credentials in the configuration)`;
}

function checkHttp(url: URL, allowPlainHttp: boolean): RemoteUrl {
  if (url.username !== "" || url.password !== "") {
    return { problem: "the URL must not hold credentials; put them into repository.credentials, with the password in a file" };
  }
  if (url.search !== "" || url.hash !== "")
    return { problem: "the URL must not have a query or a fragment; give the address to clone from" };
  if (url.protocol === "http:" && !allowPlainHttp && !isLoopback(url.hostname)) {
    return {
      problem: `http:// sends credentials in the clear; use https://${url.hostname}${url.pathname}, or set repository.allowPlainHttp: true`,
    };
  }
  return { url };
}

/** Whether packets to this host never leave the machine, as far as its name tells. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || name === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(name);
}
