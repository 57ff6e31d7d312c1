import { Keys } from "./keys";

export const metadata = { title: "API keys · ioc" };

export default function Page() {
  return <Keys />;
}
