import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { RunnerListLoader } from "./runner-list-loader";

export const metadata = { title: "Runners · ioc" };

export default function RunnerListPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <RunnerListLoader />
    </Suspense>
  );
}
