import { Tenants } from "./tenants";

export const metadata = { title: "Tenants · ioc" };

export default function Page() {
  return <Tenants />;
}
