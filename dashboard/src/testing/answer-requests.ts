import { vi } from "vitest";

/** What a request is answered with: a status and a body, or a body alone with the status 200. */
export interface CannedAnswer {
  readonly status: number;
  readonly body?: unknown;
}

export interface SentRequest {
  /** The method and the path, as in `POST /api/v1/sessions`. */
  readonly call: string;
  readonly query: string;
  readonly headers: Headers;
  readonly body: unknown;
}

type Answerer = (request: SentRequest) => CannedAnswer;

/**
 * Answers the requests of the API's client, in place of the network. Returns the list of all requests, which grows. A
 * request that no entry of `answers` covers is answered with 404, as the API would.
 */
export function answerRequests(answers: Readonly<Record<string, Answerer>>): SentRequest[] {
  const sent: SentRequest[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const { pathname, search } = new URL(request.url);
    const text = await request.text();
    const one: SentRequest = {
      call: `${request.method} ${pathname}`,
      query: search,
      headers: request.headers,
      body: text === "" ? undefined : JSON.parse(text),
    };
    sent.push(one);
    const missing: CannedAnswer = {
      status: 404,
      body: { code: "ROUTE_NOT_FOUND", detail: `There is no ${one.call}.` },
    };
    const { status, body } = answers[one.call]?.(one) ?? missing;
    const empty = status === 204;
    return new Response(empty ? null : JSON.stringify(body), {
      status,
      headers: empty ? {} : { "Content-Type": "application/json" },
    });
  });
  return sent;
}
