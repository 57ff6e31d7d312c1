import type { Metadata } from "next";
import { Login } from "./login";

export const metadata: Metadata = { title: "Log in · ioc" };

export default function Page() {
  return <Login />;
}
