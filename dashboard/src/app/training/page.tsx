import { Suspense } from "react";
import { Loading } from "@/components/states";
import { TrainingPage } from "./training";

export const metadata = { title: "Job of fine-tuning · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <TrainingPage />
    </Suspense>
  );
}
