import { words } from "@/components/format";

function text(value: unknown): string {
  if (Array.isArray(value)) return value.map(text).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Hyper-parameters by name; what only the provider knows stands among them. */
export function parameterFacts(parameters: Readonly<Record<string, unknown>>): [string, string][] {
  const { extra, ...usual } = parameters;
  const all = { ...usual, ...(typeof extra === "object" ? extra : {}) };
  return Object.entries(all)
    .filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => [words(name), text(value)]);
}
