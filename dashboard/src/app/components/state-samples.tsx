import { ApiError, UnreachableError } from "@/api/problem";
import { EmptyState, ErrorAlert, LoadingState } from "@/components/content-states";
import { FailureDetails } from "@/components/failure-details";
import type { LoadState } from "@/components/load-state";
import { LoadedContent } from "@/components/loaded-content";
import { NoticeBox } from "@/components/notice-box";
import { SectionPanel } from "@/components/page-layout";

const REFUSED = new ApiError(409, {
  code: "INVALID_TRANSITION",
  detail: "A completed session cannot be paused.",
  remedy: "Fork the session to continue its work.",
  request_id: "01a20000-0000-7000-8000-000000000001",
});
const UNREACHABLE = new UnreachableError(undefined);

const FAILED: LoadState<string> = { data: undefined, isPending: false, error: REFUSED, refetch: () => undefined };

export function StateSamples() {
  return (
    <>
      <NoticeBox>A note that is not an error.</NoticeBox>
      <NoticeBox warns label="Sample warning">
        A warning that needs attention.
      </NoticeBox>
      <FailureDetails
        error={{
          code: "PROVIDER_AUTH",
          category: "auth",
          message: "The model provider refused the credential.",
          remedy: "Renew the provider's key, then retry the session.",
          retryable: true,
        }}
      />
      <SectionPanel title="Content that is loaded, missing or unavailable">
        <LoadingState rows={3} />
        <EmptyState title="There are no sessions yet.">Start the first one.</EmptyState>
        <div className="p-3">
          <ErrorAlert error={UNREACHABLE} compact />
        </div>
        <LoadedContent state={FAILED}>{(text) => text}</LoadedContent>
      </SectionPanel>
    </>
  );
}
