import { Suspense } from "react";
import { Loading } from "@/components/states";
import { TrainingJobs } from "./jobs";

export const metadata = { title: "Fine-tuning · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <TrainingJobs />
    </Suspense>
  );
}
