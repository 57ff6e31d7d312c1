import { Suspense } from "react";
import { Loading } from "@/components/states";
import { SessionPage } from "./session";

export const metadata = { title: "Session · ioc" };

export default function Page() {
  return (
    <Suspense fallback={<Loading />}>
      <SessionPage />
    </Suspense>
  );
}
