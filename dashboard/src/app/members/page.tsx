import { Members } from "./members";

export const metadata = { title: "Members · ioc" };

export default function Page() {
  return <Members />;
}
