"use client";

import { useMutation } from "@tanstack/react-query";
import { ShieldCheck, ShieldX } from "lucide-react";
import { ActionButton } from "@/components/action-button";
import { formatCount } from "@/components/format";
import { tenancyCalls } from "@/queries/tenancy";

export function AuditChainCheck() {
  const verify = useMutation({ mutationFn: tenancyCalls.verifyAudit });
  const check = verify.data;
  return (
    <>
      {check && (
        <span role="status" className="flex items-center gap-1.5 text-[0.8125rem]">
          {check.intact ? (
            <ShieldCheck aria-hidden className="size-4 text-good" />
          ) : (
            <ShieldX aria-hidden className="size-4 text-danger" />
          )}
          {check.intact
            ? `${formatCount(check.entries)} entries, the chain is intact`
            : `broken at ${check.breaks.map((one) => one.seq).join(", ")}`}
        </span>
      )}
      {verify.isError && <span role="alert">{verify.error.message}</span>}
      <ActionButton busy={verify.isPending} onClick={() => verify.mutate()}>
        Verify the chain
      </ActionButton>
    </>
  );
}
