import { Audit } from "./audit";

export const metadata = { title: "Audit log · ioc" };

export default function Page() {
  return <Audit />;
}
