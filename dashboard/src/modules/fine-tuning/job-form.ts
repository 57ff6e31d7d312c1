import type {
  DatasetFormat,
  DatasetRecipe,
  Method,
  NewTrainingJob,
  Parameters,
  Provider,
  SessionType,
} from "@/api/schema";

/** Reads a field of a form as text. An empty field is undefined. */
type FormReader = (name: string) => string | undefined;

export function formReader(form: FormData): FormReader {
  return (name) => String(form.get(name) ?? "").trim() || undefined;
}

const parseNumber = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const parseList = (text: string | undefined) =>
  text
    ?.split(",")
    .map((word) => word.trim())
    .filter(Boolean);
/** Converts a local date and time, as the browser's field has it, to UTC. */
const parseMoment = (text: string | undefined) => (text === undefined ? undefined : new Date(text).toISOString());

/** The recipe that a form stands for. Empty fields are left out, so that the API's defaults apply. */
export function readRecipe(of: FormReader): DatasetRecipe {
  const all: DatasetRecipe = {
    min_success_rate: parseNumber(of("min_success_rate")),
    session_type: of("session_type") as SessionType | undefined,
    tags: parseList(of("tags")),
    model: of("model"),
    since: parseMoment(of("since")),
    until: parseMoment(of("until")),
    limit: parseNumber(of("limit")),
    min_samples: parseNumber(of("min_samples")),
    format: of("format") as DatasetFormat | undefined,
    system_prompt: of("system_prompt"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export const DEFAULT_PARAMETERS = {
  epochs: 3,
  learning_rate: 0.00005,
  batch_size: 4,
  lora_rank: 8,
  lora_alpha: 16,
  target_modules: ["q_proj", "v_proj"],
} as const;

/** Parses the parameters of the provider alone. Throws a `SyntaxError` unless the text is a JSON object. */
export function parseExtra(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SyntaxError("The text is not a JSON object.");
  return value as Record<string, unknown>;
}

function readParameters(of: FormReader): Parameters {
  return {
    epochs: parseNumber(of("epochs")) ?? DEFAULT_PARAMETERS.epochs,
    learning_rate: parseNumber(of("learning_rate")) ?? DEFAULT_PARAMETERS.learning_rate,
    batch_size: parseNumber(of("batch_size")) ?? DEFAULT_PARAMETERS.batch_size,
    lora_rank: parseNumber(of("lora_rank")) ?? DEFAULT_PARAMETERS.lora_rank,
    lora_alpha: parseNumber(of("lora_alpha")) ?? DEFAULT_PARAMETERS.lora_alpha,
    target_modules: parseList(of("target_modules")) ?? [...DEFAULT_PARAMETERS.target_modules],
    seed: parseNumber(of("seed")) ?? null,
    method: (of("method") ?? "sft") as Method,
    extra: parseExtra(of("extra")),
  };
}

/** The job that a form stands for. Throws a `SyntaxError` unless `extra` is a JSON object. */
export function readJobForm(of: FormReader): NewTrainingJob {
  return {
    base_model: of("base_model") ?? "",
    target_model_name: of("target_model_name") ?? "",
    provider: of("provider") as Provider | undefined,
    parameters: readParameters(of),
    dataset: readRecipe(of),
  };
}
