import { TenantListLoader } from "./tenant-list-loader";

export const metadata = { title: "Tenants · ioc" };

export default function TenantListPage() {
  return <TenantListLoader />;
}
