import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { parseViews, useSavedViews } from "./saved-views";

test("a view is stored once under its name until it is removed", () => {
  const { result } = renderHook(() => useSavedViews());
  act(() => result.current.save({ name: "Mine", search: "status=failed" }));
  act(() => result.current.save({ name: "Mine", search: "status=paused" }));
  expect(result.current.views).toEqual([{ name: "Mine", search: "status=paused" }]);
  act(() => result.current.forget("Mine"));
  expect(result.current.views).toEqual([]);
});

test("stored values that are not views are ignored", () => {
  expect(parseViews("{")).toEqual([]);
  expect(parseViews('{"a": 1}')).toEqual([]);
  expect(parseViews('[{"name": "a", "search": ""}, {"name": 1}, null]')).toEqual([{ name: "a", search: "" }]);
});
