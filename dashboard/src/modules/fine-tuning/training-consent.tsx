"use client";

import { useState } from "react";
import { ActionButton } from "@/components/action-button";
import { ConfirmDialog } from "@/components/confirm-dialog";
import { NoticeBox } from "@/components/notice-box";
import { useAction } from "@/hooks/use-action";
import { tenancyCalls, tenancyKeys, useHasPermission, useTenant } from "@/queries/tenancy";

/** Whether the tenant allows training on its sessions. Leads and admins can change it here. */
export function TrainingConsent() {
  const tenant = useTenant();
  const mayDecide = useHasPermission("tenants:write");
  const [asked, setAsked] = useState(false);
  const decide = useAction((consent: boolean) => tenancyCalls.setTrainingConsent(consent), {
    invalidates: [tenancyKeys.tenant],
    successMessage: (tenant) =>
      tenant.training_consent ? "Sessions may now become training data." : "No more sessions become training data.",
    onSuccess: () => setAsked(false),
  });
  if (!tenant.data) return null;
  const given = tenant.data.training_consent;
  return (
    <NoticeBox warns={!given} label="Consent to training">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="min-w-0 flex-1 basis-72">
          {given
            ? `${tenant.data.name} has agreed to training on its sessions.`
            : `${tenant.data.name} has not agreed to training on its sessions: previews are refused, and jobs fail with NO_CONSENT. ${
                mayDecide ? "You can agree on its behalf." : "A lead or an admin of the tenant can agree here."
              }`}
        </p>
        {mayDecide && (
          <ActionButton small look={given ? "quiet" : "primary"} onClick={() => setAsked(true)}>
            {given ? "Withdraw" : "Agree"}
          </ActionButton>
        )}
      </div>
      {asked && (
        <ConfirmDialog
          title={given ? "Withdraw the consent to training?" : "Agree to training on sessions?"}
          text={
            given
              ? "Jobs without a dataset fail, and previews are refused. Existing datasets and models stay."
              : "Transcripts of completed sessions, without secrets and personal data, may be sent to training providers. The decision is recorded in the audit log and can be withdrawn."
          }
          act={given ? "Withdraw" : "Agree"}
          danger={given}
          busy={decide.isPending}
          onConfirm={() => decide.mutate(!given)}
          onClose={() => setAsked(false)}
        />
      )}
    </NoticeBox>
  );
}
