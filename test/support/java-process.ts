import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";

/** A process with the file that holds what it prints. */
export interface RunningJava {
  readonly process: ChildProcess;
  readonly log: string;
  /** Says how it ended, when it has. */
  readonly ended: Promise<string>;
  how: string | undefined;
}

/** A JVM on the loopback interface with Flink's classes; `args` follow the options that all of them have. What it prints is added to `log`. */
export function launchJava(args: readonly string[], cwd: string, log: string): RunningJava {
  const output = openSync(log, "a");
  try {
    // Not detached: should this process be ended by its terminal, so are they.
    return watch(spawn("java", [...JVM_OPTIONS, ...args], { cwd, stdio: ["ignore", output, output] }), log);
  } finally {
    closeSync(output);
  }
}

/** kill -9; ends when the process is gone. */
export async function killed(running: RunningJava | undefined): Promise<void> {
  if (running === undefined) return;
  running.process.kill("SIGKILL"); // does nothing to one that has ended
  await running.ended;
}

/** Ports of the loopback interface that are free now; all are held until the last one is known, so that they differ. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map(async (server) => {
      server.close();
      await once(server, "close");
    }),
  );
  return ports;
}

function watch(process: ChildProcess, log: string): RunningJava {
  const { promise, resolve } = Promise.withResolvers<string>();
  const running: RunningJava = { process, log, ended: promise, how: undefined };
  const end = (how: string): void => {
    running.how = how;
    resolve(how);
  };
  process.once("exit", (status, signal) => end(status === null ? `was ended by ${signal}` : `ended with status ${status}`));
  process.once("error", (error) => end(`could not be started, is a JDK of version 17 installed? ${error.message}`));
  return running;
}

/** As small as our tiny jobs allow, quick to start, and open for Flink's reflection on Java 17. */
const JVM_OPTIONS: readonly string[] = [
  "-Xmx192m",
  "-XX:MaxMetaspaceSize=256m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-Xss512k",
  ...["java.base/sun.net.util", "java.rmi/sun.rmi.registry", "java.security.jgss/sun.security.krb5"].map(
    (name) => `--add-exports=${name}=ALL-UNNAMED`,
  ),
  ..."lang net io nio lang.reflect text time util util.concurrent util.concurrent.atomic util.concurrent.locks"
    .split(" ")
    .map((name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
  "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
];
