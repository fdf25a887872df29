import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";
import type { Clock } from "../common/clock.ts";

/**
 * The figures of the process that every program of Prometheus has, under their usual names. Only those that cost nothing while nobody
 * asks: prom-client's own set watches the event loop a hundred times a second.
 */
export function addProcessMetrics(registry: Registry, clock: Clock): void {
  const startedAtSeconds = clock.now() / 1000 - process.uptime(); // the daemon may have begun anew since
  const cpu = new Counter({
    name: "process_cpu_seconds_total",
    help: "Time that the process has spent on processors, in user and system mode.",
    registers: [],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  registry.registerMetric(cpu);
  const add = (name: string, help: string, read: () => number): void => {
    const collect = function (this: Gauge): void {
      this.set(read());
    };
    registry.registerMetric(new Gauge({ name, help, registers: [], collect }));
  };
  add("process_resident_memory_bytes", "Memory of the process that is in RAM.", () => process.memoryUsage.rss());
  add(
    "nodejs_heap_used_bytes",
    "What lives on JavaScript's heap, or is not collected yet.",
    () => process.memoryUsage().heapUsed,
  );
  add("nodejs_external_memory_bytes", "Buffers and other memory beside the heap.", () => process.memoryUsage().external);
  add("process_start_time_seconds", "When the process began, in seconds since 1970.", () => startedAtSeconds);
}
