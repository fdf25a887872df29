import type { Clock } from "../common/clock.ts";
import type { ProxySettings } from "../common/http.ts";
import type { ForgeConfig } from "../config/config.ts";
import type { Dialect } from "./dialect.ts";
import type { Sleep } from "./forge-http.ts";
import type { Forge } from "./forge.ts";
import { giteaDialect } from "./gitea.ts";
import { githubDialect } from "./github.ts";
import { gitlabDialect } from "./gitlab.ts";
import { RestForge } from "./rest-forge.ts";

const DIALECTS: Readonly<Record<ForgeConfig["kind"], (repository: string) => Dialect>> = {
  github: githubDialect,
  gitlab: gitlabDialect,
  gitea: giteaDialect,
};

/** The forge of the configuration. Nothing is called yet; close it. */
export function openForge(config: ForgeConfig, proxy: ProxySettings, clock: Clock, sleep?: Sleep): Forge {
  const { url, token, tls, kind, repository } = config;
  return new RestForge({ url, token, tls, proxy }, DIALECTS[kind](repository), clock, sleep);
}
