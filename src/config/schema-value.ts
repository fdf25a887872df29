/**
 * The part of JSON Schema that the configuration uses. A group of options is an object with `properties`; an object without has names
 * that the user chooses. `errorMessage` is what schema-problems.ts says about a wrong value.
 */
export type OptionSchema = (StringSchema | IntegerSchema | BooleanSchema | ListSchema | GroupSchema | MapSchema) & {
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly string[];
  readonly errorMessage?: string;
};

interface StringSchema {
  readonly type: "string";
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
}

interface IntegerSchema {
  readonly type: "integer";
  readonly minimum?: number;
  readonly maximum?: number;
}

interface BooleanSchema {
  readonly type: "boolean";
}

interface ListSchema {
  readonly type: "array";
  readonly items: OptionSchema;
  readonly minItems?: number;
}

interface GroupSchema {
  readonly type: "object";
  readonly properties: Readonly<Record<string, OptionSchema>>;
  readonly additionalProperties: false;
  readonly required?: readonly string[];
  readonly oneOf?: readonly { readonly required: readonly string[] }[];
  readonly dependentRequired?: Readonly<Record<string, readonly string[]>>;
}

interface MapSchema {
  readonly type: "object";
  readonly propertyNames: StringSchema & { readonly errorMessage?: string };
  readonly additionalProperties: OptionSchema;
  readonly minProperties?: number;
}

/** The type of a valid value with its defaults filled in. */
export type ValueOf<S> = S extends { readonly enum: readonly (infer E)[] }
  ? E
  : S extends { readonly type: "string" }
    ? string
    : S extends { readonly type: "integer" }
      ? number
      : S extends { readonly type: "boolean" }
        ? boolean
        : S extends { readonly type: "array"; readonly items: infer I }
          ? readonly ValueOf<I>[]
          : S extends { readonly properties: infer P }
            ? { readonly [K in keyof P as IsGiven<S, P, K> extends true ? K : never]: ValueOf<P[K]> } & {
                readonly [K in keyof P as IsGiven<S, P, K> extends true ? never : K]?: ValueOf<P[K]>;
              }
            : S extends { readonly additionalProperties: infer A }
              ? Readonly<Record<string, ValueOf<A>>>
              : never;

/** Whether a member is always there: it is required, or it has a default. */
type IsGiven<S, P, K extends keyof P> = S extends { readonly required: readonly (infer R)[] }
  ? K extends R
    ? true
    : HasDefault<P[K]>
  : HasDefault<P[K]>;
type HasDefault<S> = S extends { readonly default: unknown } ? true : false;

/** `*` stands for a name that the user chooses, `[]` for an item of a list: `zones.*.clusters.*.url`. */
export type OptionPattern = string;

export interface ListedOption {
  readonly pattern: OptionPattern;
  readonly schema: OptionSchema;
  /** Whether its group, where there is one, must hold it. */
  readonly required: boolean;
}

/** Every option of a group, groups before their members. */
export function listOptions(group: OptionSchema): readonly ListedOption[] {
  return optionsBelow(group, "");
}

function optionsBelow(schema: OptionSchema, pattern: OptionPattern): readonly ListedOption[] {
  if (schema.type === "array") return optionsBelow(schema.items, `${pattern}[]`);
  if (schema.type !== "object") return [];
  const prefix = pattern === "" ? "" : `${pattern}.`;
  if (!("properties" in schema)) return optionsBelow(schema.additionalProperties, `${prefix}*`);
  const options: ListedOption[] = [];
  for (const [key, member] of Object.entries(schema.properties)) {
    const own = `${prefix}${key}`;
    options.push({ pattern: own, schema: member, required: schema.required?.includes(key) === true });
    options.push(...optionsBelow(member, own));
  }
  return options;
}

export interface WrittenOption {
  readonly pattern: OptionPattern;
  readonly schema: OptionSchema;
  readonly path: readonly (string | number)[];
  readonly value: unknown;
}

/**
 * Every option that `value` holds, valid or not; groups before their members. What stands where the schema knows nothing, or has
 * another shape than the schema wants, is left out.
 */
export function writtenOptions(schema: OptionSchema, value: unknown): readonly WrittenOption[] {
  return visit({ pattern: "", path: [], schema, value });
}

function visit(option: WrittenOption): readonly WrittenOption[] {
  return [option, ...membersOf(option).flatMap(visit)];
}

function membersOf({ pattern, path, schema, value }: WrittenOption): readonly WrittenOption[] {
  const prefix = pattern === "" ? "" : `${pattern}.`;
  if (schema.type === "array" && Array.isArray(value)) {
    return value.map((item: unknown, index) => ({
      pattern: `${pattern}[]`,
      path: [...path, index],
      schema: schema.items,
      value: item,
    }));
  }
  if (schema.type !== "object" || !isMapping(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    if (!("properties" in schema)) {
      return [{ pattern: `${prefix}*`, path: [...path, key], schema: schema.additionalProperties, value: member }];
    }
    const known = Object.hasOwn(schema.properties, key) ? schema.properties[key] : undefined;
    return known === undefined ? [] : [{ pattern: `${prefix}${key}`, path: [...path, key], schema: known, value: member }];
  });
}

/** A copy of a valid `value` in which every absent option with a default has it, also inside of absent groups. */
export function fillDefaults<S extends OptionSchema>(schema: S, value: unknown): ValueOf<S> {
  return filled(schema, value) as ValueOf<S>; // what `filled` does, in the words of the type checker
}

function filled(schema: OptionSchema, value: unknown): unknown {
  if (schema.type === "array" && Array.isArray(value)) return value.map((item) => filled(schema.items, item));
  if (schema.type !== "object" || !isMapping(value)) return value;
  if (!("properties" in schema)) {
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(schema.additionalProperties, member)]));
  }
  const members = Object.entries(schema.properties).map(([key, member]) => {
    const written = Object.hasOwn(value, key) ? value[key] : member.default;
    return [key, filled(member, written)] as const;
  });
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
