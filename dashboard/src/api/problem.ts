import type { Problem } from "./schema";

/** An error response of the API, with its code and remedy. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.name = "ApiError";
  }

  get code(): string {
    return this.problem.code ?? `HTTP_${this.status}`;
  }

  get remedy(): string | undefined {
    return this.problem.remedy;
  }

  /** The message for a field of the request, by its name. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((error) => error.field === name)?.message;
  }
}

/** An error in the dashboard itself, with a code and a remedy like an error of the API. */
export abstract class ExplainedError extends Error {
  abstract readonly code: string;
  abstract readonly remedy: string;
}

/** There was no response. */
export class UnreachableError extends ExplainedError {
  readonly code = "UNREACHABLE";
  readonly remedy = "Check the network and whether the server runs. The page retries automatically.";

  constructor(cause: unknown) {
    super("The server does not respond.", { cause });
    this.name = "UnreachableError";
  }
}

/** Whether repeating the call can help. */
export function isRetryable(error: unknown): boolean {
  if (error instanceof UnreachableError) return true;
  return error instanceof ApiError && (error.status >= 500 || error.status === 429);
}

/** Finds the message for a field of a request that the API rejected, by the field's name. */
export type FieldErrors = (name: string) => string | undefined;

export function fieldErrors(error: unknown): FieldErrors {
  return (name) => (error instanceof ApiError ? error.field(name) : undefined);
}

/** The part of a field as people count: `[1].name` as `entry 2, name`. */
function describePart(part: string): string {
  return part
    .replace(/\[(\d+)\]/g, (_, index) => `, entry ${Number(index) + 1}`)
    .replaceAll(".", ", ")
    .replace(/^, /, "");
}

/** Like `fieldErrors`, for controls that stand for a list or an object: it also finds the message for a part of a field. */
export function partErrors(error: unknown): FieldErrors {
  const all = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  return (name) => {
    const found = all.find(
      ({ field }) => field === name || (field.startsWith(name) && /^[.[]/.test(field.slice(name.length))),
    );
    if (!found) return undefined;
    const part = describePart(found.field.slice(name.length));
    return part ? `${part}: ${found.message}` : found.message;
  };
}
