import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";

export type ForgeKind = "github" | "gitlab" | "gitea";

type Schema = Readonly<Record<string, unknown>>;

interface Endpoint {
  readonly method: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, Schema>>;
  readonly request?: Schema;
  readonly answers: Readonly<Record<string, Schema>>;
}

/** A published API, as far as it is used: test/forge/fixtures/*.json. */
interface Description {
  readonly root: string;
  /** What a page holds at most, whatever is asked for. */
  readonly maxPageSize: number;
  /** How long texts may be. */
  readonly limits: { readonly description?: number; readonly name?: number; readonly body?: number };
  /** What every request is to say. */
  readonly headers: Readonly<Record<string, string>>;
  /** Answers that any endpoint may give. */
  readonly everywhere: Readonly<Record<string, Schema>>;
  readonly endpoints: readonly Endpoint[];
  readonly definitions: Schema;
}

export interface ForgeRequest {
  readonly method: string;
  /** As it came, with its query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: string;
}

/** Holds requests and answers against what a forge has published. */
export class ForgeContract {
  readonly description: Description;
  /** In what a request or an answer is not as published. */
  readonly violations: string[] = [];
  /** `METHOD /path` as it is described. */
  readonly used = new Set<string>();
  readonly #ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true });
  /** Values of a query are texts, whatever they stand for. */
  readonly #queryAjv = new Ajv2020({ allErrors: true, coerceTypes: true });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor(kind: ForgeKind) {
    const file = join(import.meta.dirname, `../forge/fixtures/${kind}.json`);
    this.description = JSON.parse(readFileSync(file, "utf8")) as Description;
  }

  checkRequest({ method, target, headers, body }: ForgeRequest): void {
    const endpoint = this.#find(method, target);
    if (endpoint === undefined) return this.#note(`${method} ${target} is no endpoint`);
    const where = nameOf(endpoint);
    this.used.add(where);
    for (const [name, value] of Object.entries(this.description.headers))
      if (headers[name] !== value) this.#note(`${where}: header ${name} is ${JSON.stringify(headers[name])}`);
    const query = Object.fromEntries(new URL(target, "http://x").searchParams);
    const properties = { type: "object", properties: endpoint.query ?? {}, additionalProperties: false };
    this.#check(`${where}: its query`, this.#queryAjv, properties, query);
    if (endpoint.request === undefined) {
      if (body !== "") this.#note(`${where} takes no body`);
      return;
    }
    if (headers["content-type"] !== "application/json") this.#note(`${where}: its body is no JSON`);
    this.#check(`${where}: its body`, this.#ajv, endpoint.request, JSON.parse(body));
  }

  checkAnswer({ method, target }: ForgeRequest, status: number, body: unknown): void {
    const endpoint = this.#find(method, target);
    if (endpoint === undefined) return;
    const schema = endpoint.answers[status] ?? this.description.everywhere[status];
    const where = `${nameOf(endpoint)}: answer ${status}`;
    if (schema === undefined) this.#note(`${where} is not published`);
    else this.#check(where, this.#ajv, schema, body);
  }

  #find(method: string, target: string): Endpoint | undefined {
    const { root, endpoints } = this.description;
    const path = target.replace(/\?.*$/, "");
    return endpoints.find(
      (endpoint) =>
        endpoint.method === method && new RegExp(`^${root}${endpoint.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(path),
    );
  }

  #check(where: string, ajv: Ajv2020, schema: Schema, value: unknown): void {
    const key = `${ajv === this.#ajv ? "" : "query "}${JSON.stringify(schema)}`;
    const validate = this.#compiled.get(key) ?? ajv.compile({ ...schema, definitions: this.description.definitions });
    this.#compiled.set(key, validate);
    if (validate(value)) return;
    for (const { instancePath, message } of validate.errors ?? []) this.#note(`${where}${instancePath} ${message}`);
  }

  #note(violation: string): void {
    this.violations.push(violation);
  }
}

function nameOf({ method, path }: Endpoint): string {
  return `${method} ${path}`;
}
