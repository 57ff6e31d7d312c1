"use client";

import { Plus, Trash2 } from "lucide-react";
import { useState } from "react";
import { ActionButton, IconButton } from "@/components/action-button";
import { ButtonLink } from "@/components/button-link";
import { CopyButton } from "@/components/copy-button";
import { FilterMenu } from "@/components/filter-menu";
import { FormField } from "@/components/form-field";
import { SectionPanel } from "@/components/page-layout";
import { SearchField } from "@/components/search-field";
import { SelectField } from "@/components/select-field";
import { SelectInput } from "@/components/select-input";
import { TextAreaField, TextField } from "@/components/text-field";

const LOOKS = ["primary", "plain", "quiet", "danger"] as const;
const COLOURS = ["red", "green", "blue"] as const;

export function ControlSamples() {
  return (
    <>
      <SectionPanel title="Buttons">
        <div className="flex flex-wrap items-center gap-2 p-3">
          {LOOKS.map((look) => (
            <ActionButton key={look} look={look}>
              {look}
            </ActionButton>
          ))}
          <ActionButton busy>busy</ActionButton>
          <ActionButton disabled>disabled</ActionButton>
          <ActionButton small>small</ActionButton>
          <IconButton label="Remove">
            <Trash2 aria-hidden className="size-4" />
          </IconButton>
          <CopyButton text="a text" label="Copy a text" />
          <ButtonLink href="/components/">Link</ButtonLink>
          <ButtonLink primary href="/components/">
            <Plus aria-hidden className="size-4" /> Primary link
          </ButtonLink>
        </div>
      </SectionPanel>
      <SectionPanel title="Filters">
        <FilterSamples />
      </SectionPanel>
      <SectionPanel title="Form fields">
        <div className="grid gap-4 p-3 sm:grid-cols-2">
          <TextField label="Text" hint="A hint explains the field." placeholder="Placeholder" />
          <TextField label="Text with an error" error="This name is in use." mono defaultValue="reviewer" />
          <SelectField label="Choice" options={COLOURS} />
          <FormField label="Any other control" hint="The field passes its id to the control.">
            {(props) => (
              <SelectInput {...props}>
                <option>one</option>
                <option>two</option>
              </SelectInput>
            )}
          </FormField>
          <TextAreaField
            label="Several lines"
            className="sm:col-span-2"
            rows={2}
            defaultValue="A text of several lines"
          />
          <TextAreaField label="A secret" className="sm:col-span-2" masked rows={2} defaultValue="not shown" />
        </div>
      </SectionPanel>
    </>
  );
}

function FilterSamples() {
  const [search, setSearch] = useState("");
  const [colours, setColours] = useState<readonly string[]>(["red"]);
  return (
    <div className="flex flex-wrap items-center gap-2 p-3">
      <SearchField label="Find a colour" placeholder="Colour" value={search} onSettled={setSearch} />
      <FilterMenu label="Colour" values={COLOURS} chosen={colours} onChange={setColours} />
    </div>
  );
}
