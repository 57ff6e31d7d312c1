import { Refused, Unreachable } from "@/api/problem";

/** Asks the API who calls with this, before anything is signed in by it. Throws what is for the person to know. */
export async function check(key: string): Promise<void> {
  const headers = { Authorization: `Bearer ${key}` };
  const answer = await fetch("/api/v1/me", { headers }).catch((cause) => {
    throw new Unreachable(cause);
  });
  if (!answer.ok) throw new Refused(answer.status, await answer.json().catch(() => ({})));
}

/** Whether the API lets somebody in by a token; what is wrong besides the token itself is thrown. */
export async function letIn(token: string): Promise<boolean> {
  try {
    await check(token);
    return true;
  } catch (error) {
    if (error instanceof Refused && error.status === 401) return false;
    throw error;
  }
}
