import { QuotaListLoader } from "./quota-list-loader";

export const metadata = { title: "Quotas · ioc" };

export default function QuotaListPage() {
  return <QuotaListLoader />;
}
