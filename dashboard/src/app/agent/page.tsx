import { Suspense } from "react";
import { Loading } from "@/components/states";
import { AgentPage } from "./agent";

export const metadata = { title: "Agent · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <AgentPage />
    </Suspense>
  );
}
