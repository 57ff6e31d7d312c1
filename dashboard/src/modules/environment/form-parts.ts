import type { FieldErrors } from "@/api/problem";
import type { EnvironmentDraft } from "./environment-draft";

/** What each part of the form of an environment needs. */
export interface EnvironmentFormPart {
  draft: EnvironmentDraft;
  onChange(patch: Partial<EnvironmentDraft>): void;
  errorOf: FieldErrors;
}
