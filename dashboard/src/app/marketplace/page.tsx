import { Marketplace } from "./marketplace";

export const metadata = { title: "Marketplace · ioc" };

export default function Page() {
  return <Marketplace />;
}
