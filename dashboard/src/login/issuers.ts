import { client, take } from "@/api/client";
import type { LoginIssuer } from "@/api/schema";

/** Where people may log in, as it is configured. */
export async function issuers(): Promise<readonly LoginIssuer[]> {
  return (await take(client.GET("/api/v1/login"))).issuers;
}
