import { Suspense } from "react";
import { LoadingState } from "@/components/content-states";
import { ExperimentListLoader } from "./experiment-list-loader";

export const metadata = { title: "Experiments · ioc" };

export default function ExperimentListPage() {
  return (
    <Suspense fallback={<LoadingState />}>
      <ExperimentListLoader />
    </Suspense>
  );
}
