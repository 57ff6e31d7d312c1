import { ComponentIndexView } from "./component-index-view";

export const metadata = { title: "Components · ioc" };

/** For developers: no other page links here, and it reads no data. */
export default function ComponentIndexPage() {
  return <ComponentIndexView />;
}
