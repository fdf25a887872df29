import { aJob, aRunningJob, anArtifact } from "./manifests.ts";
import type { RunningDaemon } from "./running-daemon.ts";
import { createWorld, isRunning, untilCheckpointed, type World, type WorldOptions } from "./world.ts";

/** A world in which the Job `orders` runs. */
export interface OrdersWorld {
  readonly world: World;
  readonly daemon: RunningDaemon;
  readonly flinkJobId: string;
}

/** `orders` runs with 2 rpus and has completed a checkpoint. */
export async function aCheckpointedWorld(flinkVersion = "1.16", options?: WorldOptions): Promise<OrdersWorld> {
  const world = await createWorld(options);
  await world.push(await aRunningJob("orders", { flinkVersion }));
  const daemon = world.startDaemon();
  const { flinkJobId } = await daemon.untilJob("orders", isRunning);
  await untilCheckpointed(world, daemon, flinkJobId!);
  return { world, daemon, flinkJobId: flinkJobId! };
}

/** Commits another number of rpus for it. */
export async function pushRpus(world: World, rpus: number, flinkVersion = "1.16"): Promise<string> {
  return world.push({ "orders.yaml": anArtifact("orders") + aJob("orders", { rpus, flinkVersion }) }, `rpus ${rpus}`);
}
