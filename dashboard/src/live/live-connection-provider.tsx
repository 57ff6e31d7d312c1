"use client";

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { credential } from "@/api/credential";
import type { LiveState, Topic } from "@/api/live-frame";
import { ApiError, UnreachableError } from "@/api/problem";
import { ConnectionContext, LiveStateContext } from "@/hooks/live-connection";
import { LiveConnection } from "./live-connection";
import { QueryInvalidator } from "./query-invalidator";

const REVOKED = "The key is no longer accepted: it was revoked or has expired, or its tenant was deactivated.";

async function fetchTicket(): Promise<string> {
  const now = await credential.fresh();
  const headers: Record<string, string> = { Authorization: `Bearer ${now?.key ?? ""}` };
  if (now?.tenant) headers["X-Tenant-ID"] = now.tenant;
  const answer = await fetch("/api/v1/live/tickets", { method: "POST", headers }).catch((cause) => {
    throw new UnreachableError(cause);
  });
  if (!answer.ok) throw new ApiError(answer.status, {});
  return ((await answer.json()) as { ticket: string }).ticket;
}

function openSocket(topic: Topic, ticket: string, after?: string): WebSocket {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams({ ticket, ...(after && { after }) });
  return new WebSocket(`${scheme}://${location.host}${topic}?${query}`);
}

/** Holds the page's live connection while somebody is signed in. */
export function LiveConnectionProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [source, setSource] = useState<LiveConnection | null>(null);

  useEffect(() => {
    const renewal = new QueryInvalidator(queries);
    const connection = new LiveConnection(
      { ticket: fetchTicket, open: openSocket, random: Math.random },
      {
        state: setState,
        frame: (frame) => renewal.handleFrame(frame),
        resync: () => renewal.invalidateAll(),
        refused: () => credential.refused(REVOKED),
      },
    );
    const online = () => {
      connection.reconnectNow();
      renewal.invalidateAll();
    };
    const offline = () => setState("offline");
    addEventListener("online", online);
    addEventListener("offline", offline);
    setSource(connection);
    connection.start();
    return () => {
      removeEventListener("online", online);
      removeEventListener("offline", offline);
      renewal.stop();
      connection.stop();
    };
  }, [queries]);

  return (
    <ConnectionContext value={source}>
      <LiveStateContext value={state}>{children}</LiveStateContext>
    </ConnectionContext>
  );
}
