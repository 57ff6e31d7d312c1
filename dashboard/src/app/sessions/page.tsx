import { Suspense } from "react";
import { Loading } from "@/components/states";
import { Sessions } from "./sessions";

export const metadata = { title: "Sessions · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <Sessions />
    </Suspense>
  );
}
