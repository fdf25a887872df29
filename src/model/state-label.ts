/** A resource's state as people read it: `Ready, Running` of a Job that Flink has shown; `Pending`. */
export function stateLabel({ phase, flinkJobState = "" }: { readonly phase: string; readonly flinkJobState?: string }): string {
  return flinkJobState === "" ? phase : `${phase}, ${flinkJobState}`;
}
