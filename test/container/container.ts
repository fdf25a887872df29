import { spawn } from "node:child_process";
import { once } from "node:events";
import type { ContainerImage } from "./container-image.ts";

/** One container under way, as a platform runs it: no root, no writable root file system, no capabilities, 256 MB, the host's network. */
export interface Container {
  readonly output: () => string;
  /** When the output holds this text; fails when the container ends before. */
  until(text: string): Promise<void>;
  /** When it ends by itself. */
  readonly ended: Promise<{ readonly status: number | null }>;
  /** SIGTERM, as every platform does it; how it ended and after which time. */
  stop(): Promise<{ readonly status: number | null; readonly afterMs: number }>;
}

export interface ContainerOptions {
  readonly name: string;
  readonly mounts: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** podman needs a mount namespace of its own where the machine has both generations of cgroups. */
const PRIVATE = `mount --make-rprivate /
mount | awk '$5 == "cgroup2" { print $3 }' | while read -r mounted; do umount -l "$mounted"; done
exec podman "$@"`;
const LIMITS = ["--memory", "256m", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
const LOCKED = [
  "--read-only",
  "--tmpfs",
  "/tmp",
  "--cap-drop",
  "all",
  "--security-opt",
  "no-new-privileges",
  "--network",
  "host",
];

export function startContainer(image: ContainerImage, options: ContainerOptions): Container {
  const mounts = options.mounts.flatMap((mount) => ["-v", mount]);
  const environment = Object.entries(options.environment ?? {}).flatMap(([name, value]) => ["-e", `${name}=${value}`]);
  return runContainer(image, ["--name", options.name, ...LOCKED, ...mounts, ...environment], options.args);
}

/** One with just these options, and what this machine can do. */
export function runContainer(image: ContainerImage, options: readonly string[], args: readonly string[] = []): Container {
  const child = podman(image, ["run", "--rm", "--pull", "never", ...LIMITS, ...options, image.name, ...args]);
  let output = "";
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      for (const look of waiting) look();
    });
  const ended = once(child, "exit") as Promise<[number | null]>;
  return {
    output: () => output,
    ended: ended.then(([status]) => ({ status })),
    async until(text) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => void (output.includes(text) && resolve());
      waiting.add(look);
      look();
      void ended.then(() => reject(new Error(`the container ended before it said "${text}":\n${output}`)));
      await promise.finally(() => waiting.delete(look));
    },
    async stop() {
      const from = performance.now();
      child.kill("SIGTERM"); // podman hands it on
      const [status] = await ended;
      return { status, afterMs: performance.now() - from };
    },
  };
}

/** One command of podman from its beginning to its end. */
export async function runPodman(
  image: ContainerImage,
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly output: string }> {
  const child = podman(image, args);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const [status] = (await once(child, "close")) as [number | null];
  return { status, output };
}

function podman(image: ContainerImage, args: readonly string[]) {
  const script = ["--mount", "bash", "-ec", PRIVATE, "podman", ...image.storage, ...args];
  return spawn("unshare", script, { stdio: ["ignore", "pipe", "pipe"] });
}
