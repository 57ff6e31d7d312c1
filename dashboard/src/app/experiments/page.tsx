import { Suspense } from "react";
import { Loading } from "@/components/states";
import { Experiments } from "./experiments";

export const metadata = { title: "Experiments · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Experiments />
    </Suspense>
  );
}
