import { expect, test } from "vitest";
import { revealHiddenCharacters } from "./hidden-characters";

test("a mark that reverses the writing direction is shown by its number", () => {
  expect(revealHiddenCharacters("rm \u202etxt.a\u202c")).toBe("rm ‹U+202E›txt.a‹U+202C›");
});

test("a control character is shown by its number, and lines and tabs stay", () => {
  expect(revealHiddenCharacters("echo a\r\u001b[2K\n\tdone")).toBe("echo a‹U+000D›‹U+001B›[2K\n\tdone");
});

test("text in any script is unchanged", () => {
  const text = "make проверка 検査 ✓ é";
  expect(revealHiddenCharacters(text)).toBe(text);
});
