"use client";

import { useState } from "react";
import { tenancyCalls, tenancyKeys, useMay, useTenant } from "@/api/queries/tenancy";
import { Button } from "@/components/button";
import { Confirm } from "@/components/confirm";
import { Notice } from "@/components/notice";
import { useAct } from "@/hooks/use-act";

/** Whether the tenant has agreed that its sessions are trained on; leads and admins decide it here. */
export function Consent() {
  const tenant = useTenant();
  const mayDecide = useMay("tenants:write");
  const [asked, setAsked] = useState(false);
  const decide = useAct((consent: boolean) => tenancyCalls.consent(consent), {
    renews: [tenancyKeys.tenant],
    done: (tenant) =>
      tenant.training_consent ? "Sessions may become training data now." : "No more sessions become training data.",
    after: () => setAsked(false),
  });
  if (!tenant.data) return null;
  const given = tenant.data.training_consent;
  return (
    <Notice warns={!given} label="Consent to training">
      <div className="flex flex-wrap items-center gap-x-4 gap-y-2">
        <p className="min-w-0 flex-1 basis-72">
          {given
            ? `${tenant.data.name} has agreed that its sessions become training data.`
            : `${tenant.data.name} has not agreed that its sessions become training data: previews are refused, and jobs fail with NO_CONSENT. ${
                mayDecide ? "You can agree for it." : "A lead or an admin of it can agree here."
              }`}
        </p>
        {mayDecide && (
          <Button small look={given ? "quiet" : "primary"} onClick={() => setAsked(true)}>
            {given ? "Withdraw" : "Agree"}
          </Button>
        )}
      </div>
      {asked && (
        <Confirm
          title={given ? "Withdraw the consent to training?" : "Agree to training on sessions?"}
          text={
            given
              ? "Jobs that are not yet curated fail, and previews are refused. Datasets and models that were made before stay."
              : "Transcripts of completed sessions, with secrets and personal data taken out, may be handed to the providers of training. The decision stands in the audit log, and can be withdrawn."
          }
          act={given ? "Withdraw" : "Agree"}
          danger={given}
          busy={decide.isPending}
          onConfirm={() => decide.mutate(!given)}
          onClose={() => setAsked(false)}
        />
      )}
    </Notice>
  );
}
