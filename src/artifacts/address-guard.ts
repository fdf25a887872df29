import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { BlockList, isIP } from "node:net";
import type { Lookup } from "../common/http.ts";
import { publicUrl } from "../common/secrets.ts";
import { ArtifactError } from "./artifact-error.ts";

/** Machines of one's own: not for everybody who can write a manifest, unless the operator says so. */
const PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
const PRIVATE_6 = ["::1/128", "fc00::/7"];
/**
 * No server for jars lies there: this machine's own link and the addresses where clouds hand out credentials (Alibaba's 100.100.100.200, Azure's
 * 168.63.129.16, Amazon's and Google's in fd00::/8), groups, what is reserved, and ways back to IPv4 that lead who knows where (Teredo, the
 * operator's own NAT64, SIIT).
 */
const NEVER =
  "0.0.0.0/8 100.100.100.200/32 168.63.129.16/32 169.254.0.0/16 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4".split(
    " ",
  );
const NEVER_6 =
  "::/128 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 2001::/32 2001:db8::/32 3fff::/20 5f00::/16 fd00:ec2::/32 fd20:ce::254/128 fe80::/10 fec0::/10 ff00::/8".split(
    " ",
  );

const PRIVATE_LIST = blockList(PRIVATE, PRIVATE_6);
const NEVER_LIST = blockList(NEVER, NEVER_6);

export type AddressKind = "public" | "private" | "forbidden";

/** What kind of place an IP address is; IPv4 within IPv6 counts as what it leads to. What is no address is forbidden. */
export function kindOfAddress(address: string): AddressKind {
  const family = isIP(address);
  if (family === 0) return "forbidden";
  const type = family === 4 ? "ipv4" : "ipv6";
  if (NEVER_LIST.check(address, type)) return "forbidden";
  return PRIVATE_LIST.check(address, type) ? "private" : "public";
}

export interface GuardOptions {
  readonly allowPrivateNetworks: boolean;
  /** A proxy looks up the names of servers, so whatever this machine knows of them is asked beforehand. */
  readonly proxied: boolean;
  /** In place of the system's. */
  readonly lookup?: Lookup;
}

/** Keeps whoever writes manifests from having the daemon call what only the daemon can reach. */
export class AddressGuard {
  readonly #allowPrivateNetworks: boolean;
  readonly #proxied: boolean;
  readonly #find: Lookup;

  constructor({ allowPrivateNetworks, proxied, lookup = systemLookup }: GuardOptions) {
    this.#allowPrivateNetworks = allowPrivateNetworks;
    this.#proxied = proxied;
    this.#find = lookup;
  }

  /** For connections: the addresses that are judged here are the very ones that are connected to, so a name cannot change in between. */
  readonly lookup: Lookup = (hostname, options, callback) => {
    this.#find(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return callback(error, []);
      const addresses = (found as LookupAddress[]).map(({ address }) => address);
      const refused = this.#refusal(hostname, addresses);
      if (refused !== undefined) return callback(refused, []);
      if (options.all === true) return callback(null, found);
      const [first] = found as LookupAddress[];
      return callback(null, first!.address, first!.family); // `#refusal` has refused an empty list
    });
  };

  /** For what no lookup is asked about: addresses that stand in the URL itself, and names that a proxy looks up. Rejects with an ArtifactError. */
  async check(url: URL): Promise<void> {
    const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
    if (isIP(host) !== 0) {
      const refused = this.#refusal(publicUrl(url), [host]);
      if (refused !== undefined) throw refused;
    } else if (this.#proxied) await this.#checkName(host);
  }

  async #checkName(host: string): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#find(host, { all: true }, (error, found) => {
      // A name that only the proxy knows is the proxy's matter.
      const refused =
        error === null
          ? this.#refusal(
              host,
              (found as LookupAddress[]).map(({ address }) => address),
            )
          : undefined;
      if (refused === undefined) resolve();
      else reject(refused);
    });
    return promise;
  }

  /** One bad address is enough: which of several is connected to is not for us to choose. */
  #refusal(what: string, addresses: readonly string[]): ArtifactError | undefined {
    if (addresses.length === 0) return new ArtifactError("DownloadFailed", `${what} has no address`);
    const kinds = new Set(addresses.map(kindOfAddress));
    if (kinds.has("forbidden")) {
      const message = `${what} leads to an address that is this machine's own link or reserved, where no jar may come from`;
      return new ArtifactError("AddressRefused", message);
    }
    if (this.#allowPrivateNetworks || !kinds.has("private")) return undefined;
    const message = `${what} leads into a private network: name the host in the daemon's configuration under artifacts.hosts, or set artifacts.allowPrivateNetworks`;
    return new ArtifactError("AddressRefused", message);
  }
}

/** Each IPv4 network also in the forms that IPv6 has for it: mapped (which the list knows by itself), compatible, NAT64 and 6to4. */
function blockList(networks: readonly string[], networks6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const [address, bits] of networks.map(split)) {
    const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
    const tail = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    list.addSubnet(address, bits, "ipv4");
    if (a !== 0) list.addSubnet(`::${tail}`, 96 + bits, "ipv6"); // ::/104 would be ::1 and everything near it
    list.addSubnet(`64:ff9b::${tail}`, 96 + bits, "ipv6");
    list.addSubnet(`2002:${tail}::`, 16 + bits, "ipv6");
  }
  for (const [address, bits] of networks6.map(split)) list.addSubnet(address, bits, "ipv6");
  return list;
}

function split(network: string): readonly [address: string, bits: number] {
  const slash = network.indexOf("/");
  return [network.slice(0, slash), Number(network.slice(slash + 1))];
}
