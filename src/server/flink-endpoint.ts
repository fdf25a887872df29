const KNOWN: ReadonlySet<string> = new Set([
  "GET /config",
  "GET /overview",
  "GET /jobmanager/config",
  "GET /jobmanager/environment",
  "GET /taskmanagers",
  "GET /taskmanagers/:id",
  "GET /jobs/overview",
  "GET /jobs/:id",
  "GET /jobs/:id/checkpoints",
  "GET /jobs/:id/checkpoints/config",
  "GET /jobs/:id/exceptions",
  "GET /jobs/:id/savepoints/:id",
  "GET /jobs/:id/resource-requirements",
  "GET /jars",
  "GET /savepoint-disposal/:id",
  "POST /jars/upload",
  "POST /jars/:id/run",
  "POST /jobs/:id/stop",
  "POST /jobs/:id/savepoints",
  "POST /savepoint-disposal",
  "PUT /jobs/:id/resource-requirements",
  "PATCH /jobs/:id",
  "DELETE /jars/:id",
]);

/** `GET /jobs/:id/checkpoints` for a label: without ids, and never one more than there are in the list. */
export function flinkEndpoint(endpoint: string): string {
  const plain = endpoint
    .replace(/\?.*$/, "")
    .replaceAll(/\/[0-9a-f]{32}(?=\/|$)/g, "/:id")
    .replace(/\/jars\/(?!upload$)[^/]+/, "/jars/:id")
    .replace(/\/taskmanagers\/[^/]+$/, "/taskmanagers/:id");
  return KNOWN.has(plain) ? plain : "other";
}
