"use client";

import { useQueryState } from "@/hooks/use-query-state";
import { TrainingConsent } from "@/modules/fine-tuning/training-consent";
import { useTrainingJobs } from "@/queries/fine-tuning";
import { useHasPermission } from "@/queries/tenancy";
import { TrainingJobListView } from "./training-job-list-view";

export function TrainingJobListLoader() {
  const [query, setQuery] = useQueryState();
  const mayCreate = useHasPermission("fine_tuning:write");
  const parameter = (name: string) => query.get(name) ?? undefined;
  const listParameter = (name: string) => parameter(name)?.split(",").filter(Boolean) ?? [];
  const jobs = useTrainingJobs({ status: parameter("status"), provider: parameter("provider"), q: parameter("q") });
  return (
    <TrainingJobListView
      jobs={jobs}
      filter={{ search: parameter("q") ?? "", statuses: listParameter("status"), providers: listParameter("provider") }}
      onFilter={({ search, statuses, providers }) =>
        setQuery({
          ...(search !== undefined && { q: search }),
          ...(statuses && { status: statuses.join(",") }),
          ...(providers && { provider: providers.join(",") }),
        })
      }
      mayCreate={mayCreate}
      consent={<TrainingConsent />}
    />
  );
}
