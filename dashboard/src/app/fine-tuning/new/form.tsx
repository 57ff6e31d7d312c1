"use client";

import { useRouter } from "next/navigation";
import { type FormEvent, useRef, useState } from "react";
import { Refused } from "@/api/problem";
import { useMay } from "@/api/queries/tenancy";
import { trainingCalls, trainingKeys } from "@/api/queries/training";
import type { DatasetRecipe, NewTrainingJob } from "@/api/schema";
import { Button } from "@/components/button";
import { PageHead, Panel } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { toast } from "@/components/toast";
import { useAct } from "@/hooks/use-act";
import { Consent } from "@/modules/training/consent";
import { given, newJob, recipe } from "@/modules/training/draft";
import { Preview } from "@/modules/training/preview";
import { HyperParameters, Recipe, Target } from "./fields";

/** Makes a job, and starts it where that was asked for. A job that cannot be started is there all the same, and says why. */
async function make({ body, start }: { body: NewTrainingJob; start: boolean }) {
  const made = await trainingCalls.create(body);
  if (!start) return made;
  return trainingCalls.start(made.id).catch((error: Error) => {
    toast(`The job was made, but not started. ${error.message}`, true);
    return made;
  });
}

export function NewTrainingForm() {
  const router = useRouter();
  const mayWrite = useMay("training:write");
  const form = useRef<HTMLFormElement>(null);
  const [noObject, setNoObject] = useState("");
  const [stale, setStale] = useState(false);
  const preview = useAct((body: DatasetRecipe) => trainingCalls.preview(body), { renews: [], quiet: true });
  const create = useAct(make, {
    renews: [trainingKeys.lists],
    after: (made) => router.push(`/training/?id=${made.id}`),
    quiet: true,
  });
  const error = create.error instanceof Refused ? create.error : null;
  const wrong = (name: string) => (name === "parameters.extra" && noObject) || error?.field(name);
  const look = () => {
    if (!form.current?.reportValidity()) return;
    setStale(false);
    preview.mutate(recipe(given(new FormData(form.current))));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    setNoObject("");
    try {
      const body = newJob(given(new FormData(event.currentTarget)));
      create.mutate({ body, start: submitter?.getAttribute("value") !== "later" });
    } catch (wrong) {
      if (!(wrong instanceof SyntaxError)) throw wrong;
      setNoObject(`A JSON object is expected: ${wrong.message}`);
    }
  };
  if (!mayWrite) return <Empty title="Fine-tuning is for leads and admins.">You can watch the jobs of others.</Empty>;
  return (
    <div className="mx-auto max-w-[100rem]">
      <PageHead title="New job of fine-tuning" />
      <form
        ref={form}
        onSubmit={submit}
        onChange={() => setStale(true)}
        className="grid items-start gap-3 lg:grid-cols-[minmax(0,1fr)_26rem]"
      >
        <div className="flex min-w-0 flex-col gap-3">
          <Target wrong={wrong} />
          <Recipe wrong={wrong} />
          <HyperParameters wrong={wrong} />
        </div>
        <div className="flex min-w-0 flex-col gap-3 lg:sticky lg:top-15">
          <Consent />
          <Panel
            title="What the dataset would be"
            actions={
              <Button small busy={preview.isPending} onClick={look}>
                {preview.data ? "Look again" : "Preview the dataset"}
              </Button>
            }
          >
            <div className="p-3" aria-live="polite">
              {preview.isPending ? (
                <Loading rows={4} className="p-0" />
              ) : preview.isError ? (
                <Failure error={preview.error} compact />
              ) : preview.data ? (
                <>
                  {stale && <p className="mb-3 text-xs text-muted">The form was changed since.</p>}
                  <Preview preview={preview.data} />
                </>
              ) : (
                <p className="text-[0.8125rem] text-muted">
                  A preview tries the recipe out on the newest sessions: how many samples they give, what is left out
                  and why, and what is redacted. It writes nothing.
                </p>
              )}
            </div>
          </Panel>
          {create.isError && <Failure error={create.error} compact />}
          <div className="flex gap-2">
            <Button type="submit" value="now" look="primary" busy={create.isPending} className="flex-1">
              Start training
            </Button>
            <Button type="submit" value="later" disabled={create.isPending}>
              Create only
            </Button>
          </div>
        </div>
      </form>
    </div>
  );
}
