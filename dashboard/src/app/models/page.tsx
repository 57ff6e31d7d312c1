import { Suspense } from "react";
import { Loading } from "@/components/states";
import { Models } from "./models";

export const metadata = { title: "Model registry · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Models />
    </Suspense>
  );
}
