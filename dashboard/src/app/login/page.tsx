import type { Metadata } from "next";
import { LoginLoader } from "./login-loader";

export const metadata: Metadata = { title: "Log in · ioc" };

export default function LoginPage() {
  return <LoginLoader />;
}
