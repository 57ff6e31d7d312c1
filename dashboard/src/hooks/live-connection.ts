"use client";

import { createContext, useContext, useEffect } from "react";
import type { LiveState, Topic } from "@/api/live-frame";

/** The part of the live connection that components use. The provider in `live/` implements it. */
export interface TopicSource {
  /** Subscribes to a topic until the returned function is called. */
  follow(topic: Topic): () => void;
}

export const LiveStateContext = createContext<LiveState>("connecting");
export const ConnectionContext = createContext<TopicSource | null>(null);

export function useLiveState(): LiveState {
  return useContext(LiveStateContext);
}

/** Subscribes to a topic while the component is mounted. */
export function useTopicSubscription(topic: Topic | null) {
  const connection = useContext(ConnectionContext);
  useEffect(() => (connection && topic ? connection.follow(topic) : undefined), [connection, topic]);
}
