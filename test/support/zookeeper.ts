import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freePorts, killed, launchJava, type RunningJava } from "./java-process.ts";
import { fetchWithMaven } from "./maven.ts";

/** One ZooKeeper server, the one that comes with Flink's own jars. */
export interface ZooKeeper {
  /** What makes a Flink of its version highly available with it. */
  readonly flinkConfig: Readonly<Record<string, string>>;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;

export async function startZooKeeper(flinkVersion: string): Promise<ZooKeeper> {
  const lib = await fetchWithMaven(flinkVersion);
  const [port] = (await freePorts(1)) as [number];
  const folder = await mkdtemp(join(tmpdir(), "penstock-zookeeper-"));
  const data = join(folder, "data");
  const config = join(folder, "zoo.cfg");
  const log = join(folder, "zookeeper.log");
  await mkdir(data);
  await writeFile(
    config,
    `tickTime=500\nmaxSessionTimeout=10000\ndataDir=${data}\nclientPort=${port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n`,
  );
  const main = "org.apache.flink.runtime.zookeeper.FlinkZooKeeperQuorumPeer";
  const server = launchJava(["-cp", join(lib, "*"), main, "--zkConfigFile", config, "--peerId", "1"], folder, log);
  const stop = async (): Promise<void> => {
    await killed(server);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilListening(server, port);
  } catch (error) {
    await stop();
    throw error;
  }
  return { flinkConfig: configFor(flinkVersion, port, join(folder, "flink")), stop };
}

function configFor(flinkVersion: string, port: number, storage: string): Readonly<Record<string, string>> {
  const type = flinkVersion.startsWith("1.16") ? "high-availability" : "high-availability.type";
  return {
    [type]: "zookeeper",
    "high-availability.zookeeper.quorum": `127.0.0.1:${port}`,
    "high-availability.storageDir": pathToFileURL(storage).href,
    // How long a JobManager that was killed keeps the lead.
    "high-availability.zookeeper.client.session-timeout": "4000",
  };
}

async function untilListening(server: RunningJava, port: number): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline) {
    if (server.how !== undefined) throw new Error(`ZooKeeper ${server.how}:\n${await readFile(server.log, "utf8")}`);
    if (await isListening(port)) return;
    await delay(100);
  }
  throw new Error(`ZooKeeper does not listen after ${START_TIMEOUT_MS / 1000} s`);
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  const { promise, resolve } = Promise.withResolvers<boolean>();
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  return promise.finally(() => socket.destroy());
}
