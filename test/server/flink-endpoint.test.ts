import { expect, it } from "vitest";
import { flinkEndpoint } from "../../src/server/flink-endpoint.ts";

const ID = "0123456789abcdef".repeat(2);

it.each([
  ["GET /jobs/overview", "GET /jobs/overview"],
  [`GET /jobs/${ID}`, "GET /jobs/:id"],
  [`GET /jobs/${ID}/exceptions?maxExceptions=1`, "GET /jobs/:id/exceptions"],
  [`GET /jobs/${ID}/savepoints/${ID}`, "GET /jobs/:id/savepoints/:id"],
  [`PATCH /jobs/${ID}?mode=cancel`, "PATCH /jobs/:id"],
  ["POST /jars/upload", "POST /jars/upload"],
  ["POST /jars/b7a1_prod-abc.jar/run", "POST /jars/:id/run"],
  ["DELETE /jars/upload.jar", "DELETE /jars/:id"],
  ["GET /taskmanagers/127.0.0.1%3A4711-af", "GET /taskmanagers/:id"],
  ["GET /somewhere/else", "other"],
])("the endpoint %s is counted as %s", (endpoint, label) => {
  expect(flinkEndpoint(endpoint)).toBe(label);
});
