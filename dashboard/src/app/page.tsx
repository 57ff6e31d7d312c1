import { OverviewLoader } from "./overview-loader";

export const metadata = { title: "Overview · ioc" };

export default function OverviewPage() {
  return <OverviewLoader />;
}
