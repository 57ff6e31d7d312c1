import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { AgentRoute } from "./agent-loader";

export const metadata = { title: "Agent · ioc" };

export default function AgentPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <AgentRoute />
    </Suspense>
  );
}
