import { Overview } from "./overview";

export const metadata = { title: "Overview · ioc" };

export default function Page() {
  return <Overview />;
}
