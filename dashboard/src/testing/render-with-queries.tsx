import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";

/** Renders a component with a query cache of its own, which fails at once instead of trying again. */
export function renderWithQueries(content: ReactNode): QueryClient {
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false }, mutations: { retry: false } } });
  render(<QueryClientProvider client={queries}>{content}</QueryClientProvider>);
  return queries;
}
