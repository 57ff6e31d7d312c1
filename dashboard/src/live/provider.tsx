"use client";

import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { credential } from "@/api/credential";
import { Refused, Unreachable } from "@/api/problem";
import { Renewal } from "./apply";
import { Connection, type LiveState } from "./connection";
import type { Topic } from "./frame";
import { Line, State } from "./hooks";

const REVOKED = "The key is no longer accepted: it was revoked or has expired, or its tenant was deactivated.";

async function ticket(): Promise<string> {
  const now = await credential.fresh();
  const headers: Record<string, string> = { Authorization: `Bearer ${now?.key ?? ""}` };
  if (now?.tenant) headers["X-Tenant-ID"] = now.tenant;
  const answer = await fetch("/api/v1/live/tickets", { method: "POST", headers }).catch((cause) => {
    throw new Unreachable(cause);
  });
  if (!answer.ok) throw new Refused(answer.status, {});
  return ((await answer.json()) as { ticket: string }).ticket;
}

function open(topic: Topic, ticket: string, after?: string): WebSocket {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const query = new URLSearchParams({ ticket, ...(after && { after }) });
  return new WebSocket(`${scheme}://${location.host}${topic}?${query}`);
}

/** Keeps the page's one connection, as long as somebody is signed in. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [line, setLine] = useState<Connection | null>(null);

  useEffect(() => {
    const renewal = new Renewal(queries);
    const connection = new Connection(
      { ticket, open, random: Math.random },
      {
        state: setState,
        frame: (frame) => renewal.take(frame),
        resync: () => renewal.everything(),
        refused: () => credential.refused(REVOKED),
      },
    );
    const online = () => {
      connection.hurry();
      renewal.everything();
    };
    const offline = () => setState("offline");
    addEventListener("online", online);
    addEventListener("offline", offline);
    setLine(connection);
    connection.start();
    return () => {
      removeEventListener("online", online);
      removeEventListener("offline", offline);
      renewal.stop();
      connection.stop();
    };
  }, [queries]);

  return (
    <Line value={line}>
      <State value={state}>{children}</State>
    </Line>
  );
}
