import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

const ROOT = resolve(import.meta.dirname, "../..");
const CACHE = join(ROOT, ".cache/container");
const BASE = "localhost/penstock-base";
const BUILD_TIMEOUT_MS = 10 * 60_000;

/** Images of one test run, in a storage of its own. */
export interface ContainerImage {
  readonly name: string;
  /** What buildah and podman are told to find it. */
  readonly storage: readonly string[];
  /** What `inspect` says of it. */
  inspect(): Promise<{ readonly Docker: { readonly config: ImageConfig }; readonly bytes: number }>;
  remove(): Promise<void>;
}

export interface ImageConfig {
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck?: { readonly Test: readonly string[] };
}

/**
 * Builds the Dockerfile as it stands, on a stand-in for Node's image: a Debian that debootstrap makes from the mirror of this machine, with
 * the Node that npm brought. It proves the Dockerfile's steps, not what Node's own image holds.
 */
export async function buildContainerImage(): Promise<ContainerImage> {
  const folder = await mkdtemp(join(tmpdir(), "penstock-image-"));
  const storage = ["--root", join(folder, "storage"), "--runroot", join(folder, "run"), "--storage-driver", "overlay"];
  const buildah = async (...args: readonly string[]): Promise<string> => run("buildah", [...storage, ...args]);
  const container = (await buildah("from", "scratch")).trim();
  await buildah("copy", "--quiet", container, await makeRootFileSystem(), "/");
  await buildah("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container);
  await buildah("commit", "--quiet", "--squash", container, BASE);
  await buildah("rm", container);
  const name = "localhost/penstock";
  const common = ["--isolation", "chroot", "--pull-never", "--format", "docker", "--build-arg", `BASE=${BASE}`];
  await buildah("bud", ...common, ...(await certificates(folder)), "-t", name, ROOT);
  return {
    name,
    storage,
    async inspect() {
      const seen = JSON.parse(await buildah("inspect", "--type", "image", name)) as {
        readonly Docker: { readonly config: ImageConfig };
      };
      const listed = JSON.parse(await buildah("images", "--json", name)) as readonly { readonly size: string }[];
      return { ...seen, bytes: Number.parseFloat(listed[0]?.size ?? "") * 1e6 };
    },
    remove: async () => rm(folder, { recursive: true, force: true }),
  };
}

/** Kept under .cache: a debootstrap takes a minute. */
async function makeRootFileSystem(): Promise<string> {
  const node = join(ROOT, "node_modules/.bin/node");
  const { stdout: version } = await promisify(execFile)(node, ["--version"]);
  const done = join(CACHE, `rootfs-${version.trim()}`);
  if (await exists(done)) return done;
  const incoming = join(CACHE, `incoming-${process.pid}`);
  await rm(incoming, { recursive: true, force: true });
  await mkdir(incoming, { recursive: true });
  const { site, codename } = await aptMirror();
  await run("debootstrap", ["--variant=minbase", "--include=ca-certificates", codename, incoming, site]);
  const npm = dirname(dirname(await run("readlink", ["-f", (await run("which", ["npm"])).trim()])));
  await run("cp", ["-L", node, join(incoming, "usr/local/bin/node")]);
  await mkdir(join(incoming, "usr/local/lib/node_modules"), { recursive: true });
  await run("cp", ["-a", npm, join(incoming, "usr/local/lib/node_modules/npm")]);
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(incoming, "usr/local/bin/npm"));
  await rm(join(incoming, "var/cache/apt/archives"), { recursive: true, force: true });
  await rename(incoming, done);
  return done;
}

/** Where this machine's own packages come from. */
async function aptMirror(): Promise<{ readonly site: string; readonly codename: string }> {
  const os = await readFile("/etc/os-release", "utf8");
  const codename = /^VERSION_CODENAME=(\w+)$/m.exec(os)?.[1];
  const lines = (await run("apt-get", ["indextargets", "--format", "$(SITE) $(CODENAME)"])).split("\n");
  const site = lines.map((line) => line.split(" ")).find(([, name]) => name === codename)?.[0];
  if (codename === undefined || site === undefined) throw new Error("apt-get knows no mirror of this machine's Debian");
  return { site, codename };
}

/** A registry with a certificate of its own is known to this machine, and not to the image that npm runs in. */
async function certificates(folder: string): Promise<readonly string[]> {
  const bundle = process.env["NODE_EXTRA_CA_CERTS"];
  if (bundle === undefined) return [];
  const npmrc = join(folder, "npmrc");
  await writeFile(npmrc, "cafile=/host-ca.crt\n");
  return ["-v", `${bundle}:/host-ca.crt:ro`, "-v", `${npmrc}:/usr/local/etc/npmrc:ro`];
}

async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    const options = {
      timeout: BUILD_TIMEOUT_MS,
      maxBuffer: 64 * 1024 ** 2,
      env: { ...process.env, BUILDAH_ISOLATION: "chroot" },
    };
    return (await promisify(execFile)(command, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout?: string; readonly stderr?: string };
    throw new Error(`${command} ${args.join(" ")} failed:\n${stdout ?? ""}\n${stderr ?? ""}`.slice(0, 10_000), { cause: error });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false; // the only meaning that access() has here
  }
}
