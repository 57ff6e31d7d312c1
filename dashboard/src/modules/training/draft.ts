import type {
  DatasetFormat,
  DatasetRecipe,
  Method,
  NewTrainingJob,
  Parameters,
  Provider,
  SessionType,
} from "@/api/schema";

/** The fields of a form, as texts; what is empty is not given. */
type Given = (name: string) => string | undefined;

export function given(form: FormData): Given {
  return (name) => String(form.get(name) ?? "").trim() || undefined;
}

const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));
const words = (text: string | undefined) =>
  text
    ?.split(",")
    .map((word) => word.trim())
    .filter(Boolean);
/** What a field of date and time says, which is meant as the reader's own clock shows it. */
const moment = (text: string | undefined) => (text === undefined ? undefined : new Date(text).toISOString());

/** The form's recipe, as the API takes it: what is empty is left to its defaults. */
export function recipe(of: Given): DatasetRecipe {
  const all: DatasetRecipe = {
    min_success_rate: number(of("min_success_rate")),
    session_type: of("session_type") as SessionType | undefined,
    tags: words(of("tags")),
    model: of("model"),
    since: moment(of("since")),
    until: moment(of("until")),
    limit: number(of("limit")),
    min_samples: number(of("min_samples")),
    format: of("format") as DatasetFormat | undefined,
    system_prompt: of("system_prompt"),
  };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

export const USUAL = {
  epochs: 3,
  learning_rate: 0.00005,
  batch_size: 4,
  lora_rank: 8,
  lora_alpha: 16,
  target_modules: ["q_proj", "v_proj"],
} as const;

/** What only this provider knows: a JSON object, or why the text is none. */
export function extra(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new SyntaxError("It is no JSON object.");
  return value as Record<string, unknown>;
}

function parameters(of: Given): Parameters {
  return {
    epochs: number(of("epochs")) ?? USUAL.epochs,
    learning_rate: number(of("learning_rate")) ?? USUAL.learning_rate,
    batch_size: number(of("batch_size")) ?? USUAL.batch_size,
    lora_rank: number(of("lora_rank")) ?? USUAL.lora_rank,
    lora_alpha: number(of("lora_alpha")) ?? USUAL.lora_alpha,
    target_modules: words(of("target_modules")) ?? [...USUAL.target_modules],
    seed: number(of("seed")) ?? null,
    method: (of("method") ?? "sft") as Method,
    extra: extra(of("extra")),
  };
}

/** Throws a `SyntaxError` where `extra` is no JSON object. */
export function newJob(of: Given): NewTrainingJob {
  return {
    base_model: of("base_model") ?? "",
    target_model_name: of("target_model_name") ?? "",
    provider: of("provider") as Provider | undefined,
    parameters: parameters(of),
    dataset: recipe(of),
  };
}
