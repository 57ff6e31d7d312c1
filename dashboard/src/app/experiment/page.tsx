import { Suspense } from "react";
import { Loading } from "@/components/states";
import { ExperimentPage } from "./experiment";

export const metadata = { title: "Experiment · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <ExperimentPage />
    </Suspense>
  );
}
