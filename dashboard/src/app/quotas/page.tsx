import { Quotas } from "./quotas";

export const metadata = { title: "Quotas · ioc" };

export default function Page() {
  return <Quotas />;
}
