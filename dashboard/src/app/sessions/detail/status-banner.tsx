"use client";

import { Clock, Hourglass } from "lucide-react";
import type { ReactNode } from "react";
import type { SessionDetails } from "@/api/schema";
import { FailureDetails } from "@/components/failure-details";
import { RelativeTime } from "@/components/relative-time";
import { waitingReason } from "@/modules/session/waiting-reason";

interface StatusBannerProps {
  session: SessionDetails;
  /** The form that answers the session's question. */
  answerForm: ReactNode;
}

/** Why the session waits, is paused or has failed, and what to do about it. */
export function StatusBanner({ session, answerForm }: StatusBannerProps) {
  const error = session.outcome?.error;
  if (session.pause?.question) return answerForm;
  if (error) return <FailureDetails error={error} />;
  const reason = waitingReason(session);
  if (!reason) return null;
  const Icon = session.status === "queued" ? Hourglass : Clock;
  return (
    <p role="status" className="panel flex items-center gap-2 bg-raised px-3 py-2 text-[0.8125rem]">
      <Icon aria-hidden className="size-4 shrink-0 text-muted" />
      <span>
        {reason.charAt(0).toUpperCase() + reason.slice(1)}
        {session.pause?.resume_at && (
          <>
            ; resumes automatically <RelativeTime at={session.pause.resume_at} />
          </>
        )}
        .
      </span>
    </p>
  );
}
