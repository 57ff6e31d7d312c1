import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { credential } from "@/api/credential";
import { SignInForm } from "./sign-in-form";

const EXAMPLE = {
  issuer: "https://login.example.com",
  name: "Example",
  client_id: "ioc-dashboard",
  scopes: ["openid"],
  token: "id_token",
  audience: ["ioc-dashboard"],
  parameters: {},
};

/** The API tells of these issuers, and no issuer answers. */
function offers(...issuers: object[]) {
  const fetch = vi.fn(async (asked: Request | URL | string) => {
    if (String(asked instanceof Request ? asked.url : asked).endsWith("/api/v1/login"))
      return Response.json({ issuers });
    throw new TypeError("Failed to fetch");
  });
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

beforeEach(() => vi.stubGlobal("isSecureContext", true));

afterEach(() => {
  vi.unstubAllGlobals();
  sessionStorage.clear();
});

test("each issuer has a button; without issuers only the key field is shown", async () => {
  offers(EXAMPLE, { ...EXAMPLE, issuer: "https://other.example.com", name: "Other" });
  const { unmount } = render(<SignInForm />);
  expect(await screen.findByRole("button", { name: "Log in with Example" })).toBeTruthy();
  expect(screen.getByRole("button", { name: "Log in with Other" })).toBeTruthy();
  unmount();
  const fetch = offers();
  render(<SignInForm />);
  await vi.waitFor(() => expect(fetch).toHaveBeenCalled());
  expect(screen.getByLabelText("API key")).toBeTruthy();
  expect(screen.queryByRole("button", { name: /Log in with/ })).toBeNull();
});

test("an unreachable issuer is reported, and no pending login is left", async () => {
  offers(EXAMPLE);
  render(<SignInForm />);
  await userEvent.click(await screen.findByRole("button", { name: "Log in with Example" }));
  expect((await screen.findByRole("alert")).textContent).toContain("ISSUER_UNREACHABLE");
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Log in with Example" }).disabled).toBe(false);
  expect(sessionStorage.length).toBe(0);
});

test("if the issuers cannot be read, a retry and the key field are offered", async () => {
  vi.stubGlobal("fetch", vi.fn().mockRejectedValue(new TypeError("Failed to fetch")));
  render(<SignInForm />);
  expect((await screen.findByRole("alert")).textContent).toContain("does not respond");
  expect(screen.getByLabelText("API key")).toBeTruthy();
  offers(EXAMPLE);
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("button", { name: "Log in with Example" })).toBeTruthy();
});

test("the reason for a sign-out is shown until a newer error replaces it", async () => {
  offers(EXAMPLE);
  credential.ask("Your login has ended.");
  render(<SignInForm />);
  expect(screen.getByRole("status").textContent).toBe("Your login has ended.");
  await userEvent.click(await screen.findByRole("button", { name: "Log in with Example" }));
  await screen.findByRole("alert");
  expect(screen.queryByText("Your login has ended.")).toBeNull();
});
