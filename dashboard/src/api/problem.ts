import type { Problem } from "./schema";

/** An answer of the API that is no success: what went wrong, and what to do about it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
    readonly retryAfter: number | null = null,
  ) {
    super(problem.detail ?? problem.title ?? `The server answered ${status}.`);
    this.name = "Refused";
  }

  get code(): string {
    return this.problem.code ?? `HTTP_${this.status}`;
  }

  get remedy(): string | undefined {
    return this.problem.remedy;
  }

  /** What is wrong with a field of the request, by its name. */
  field(name: string): string | undefined {
    return this.problem.errors?.find((error) => error.field === name)?.message;
  }
}

/** Something that went wrong on this side of the API, told as the API tells: what, and what to do about it. */
export abstract class Explained extends Error {
  abstract readonly code: string;
  abstract readonly remedy: string;
}

/** There was no answer at all. */
export class Unreachable extends Explained {
  readonly code = "UNREACHABLE";
  readonly remedy = "Check the network and that the server runs; the page tries again by itself.";

  constructor(cause: unknown) {
    super("The server does not answer.", { cause });
    this.name = "Unreachable";
  }
}

/** Whether asking again by itself can help. */
export function worthRetrying(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof Refused && (error.status >= 500 || error.status === 429);
}
