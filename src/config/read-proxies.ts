import type { ProxySettings } from "../common/http.ts";
import type { Problem } from "../common/problem.ts";

/**
 * The proxies that the environment names, in the way of other tools: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in lower case too, which
 * wins. A problem's place is the variable; what it holds may be a password and is not repeated.
 */
export function readProxies(environment: Readonly<Record<string, string | undefined>>): {
  readonly proxy: ProxySettings;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const proxyOf = (name: string): string | undefined => {
    const found = variableOf(environment, name);
    if (found === undefined) return undefined;
    const url = proxyUrl(found.value);
    if (url === undefined) problems.push({ file: found.name, line: 1, column: 1, message: PROBLEM });
    return url;
  };
  const http = proxyOf("http_proxy");
  const https = proxyOf("https_proxy");
  const no = variableOf(environment, "no_proxy")?.value;
  const proxy = {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    ...(no === undefined ? {} : { no }),
  };
  return { proxy, problems };
}

const PROBLEM = "must be the address of an HTTP proxy, such as http://proxy.example.com:3128; correct it, or unset it";

function variableOf(
  environment: Readonly<Record<string, string | undefined>>,
  lower: string,
): { readonly name: string; readonly value: string } | undefined {
  for (const name of [lower, lower.toUpperCase()]) {
    const value = environment[name]?.trim();
    if (value !== undefined && value !== "") return { name, value };
  }
  return undefined;
}

/** Other tools take `proxy:3128` as well. */
function proxyUrl(value: string): string | undefined {
  const url = URL.parse(value.includes("://") ? value : `http://${value}`);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") && url.hostname !== "" ? url.href : undefined;
}
