import { MarketplaceLoader } from "./marketplace-loader";

export const metadata = { title: "Marketplace · ioc" };

export default function MarketplacePage() {
  return <MarketplaceLoader />;
}
