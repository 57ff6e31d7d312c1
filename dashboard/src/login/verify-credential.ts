import { ApiError, UnreachableError } from "@/api/problem";

/** Checks a credential with the API before it is used to sign in. Throws if the API rejects it. */
export async function verifyCredential(key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}` };
  const answer = await fetch("/api/v1/me", { headers }).catch((cause) => {
    throw new UnreachableError(cause);
  });
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})));
}

/** Whether the API accepts a token. Throws any other error than 401. */
export async function isTokenAccepted(token: string): Promise<boolean> {
  try {
    await verifyCredential(token);
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return false;
    throw error;
  }
}
