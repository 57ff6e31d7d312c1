import { client, unwrap } from "@/api/client";
import type { LoginIssuer } from "@/api/schema";

/** The issuers that people can log in at. */
export async function fetchIssuers(): Promise<readonly LoginIssuer[]> {
  return (await unwrap(client.GET("/api/v1/login"))).issuers;
}
