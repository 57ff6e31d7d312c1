import { Suspense } from "react";
import { Loading } from "@/components/states";
import { ModelPage } from "./model";

export const metadata = { title: "Model · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <ModelPage />
    </Suspense>
  );
}
