/**
 * Characters that change how a text is displayed without being visible: control characters other than tab and line
 * feed, and format characters such as marks of the writing direction.
 */
const HIDDEN = /(?![\t\n])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text in which hidden characters are replaced by their number, as in `‹U+202E›`, so that it reads as it is. */
export function revealHiddenCharacters(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const number = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
    return `‹U+${number}›`;
  });
}
