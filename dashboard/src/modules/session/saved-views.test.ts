import { act, renderHook } from "@testing-library/react";
import { expect, test } from "vitest";
import { parseViews, useSavedViews } from "./saved-views";

test("a view is kept under its name, once, until it is forgotten", () => {
  const { result } = renderHook(() => useSavedViews());
  act(() => result.current.save({ name: "Mine", search: "status=failed" }));
  act(() => result.current.save({ name: "Mine", search: "status=paused" }));
  expect(result.current.views).toEqual([{ name: "Mine", search: "status=paused" }]);
  act(() => result.current.forget("Mine"));
  expect(result.current.views).toEqual([]);
});

test("what somebody else wrote there is passed over", () => {
  expect(parseViews("{")).toEqual([]);
  expect(parseViews('{"a": 1}')).toEqual([]);
  expect(parseViews('[{"name": "a", "search": ""}, {"name": 1}, null]')).toEqual([{ name: "a", search: "" }]);
});
