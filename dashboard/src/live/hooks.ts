"use client";

import { createContext, useContext, useEffect } from "react";
import type { Connection, LiveState } from "./connection";
import type { Topic } from "./frame";

/** What the provider tells all below it. Apart from it, because what it renews looks at this. */
export const State = createContext<LiveState>("connecting");
export const Line = createContext<Connection | null>(null);

export function useLiveState(): LiveState {
  return useContext(State);
}

/** Listens to a topic as long as the component is shown. */
export function useTopic(topic: Topic | null) {
  const line = useContext(Line);
  useEffect(() => (line && topic ? line.follow(topic) : undefined), [line, topic]);
}
