/**
 * Characters that control a terminal or reorder text on it: C1 controls (0x9b begins an escape sequence by itself), marks
 * of direction, and other invisible characters. JSON escapes only characters below 0x20, and records are untrusted.
 */
const CONTROLS = /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu;

/** Escapes the characters as JSON does, so that JSON stays valid. missd's own colours and line ends pass. */
export const escapeControls = (text: string): string => text.replace(CONTROLS, escaped);

/** The same for one line of untrusted text, without any control character. */
export const onOneLine = (text: string): string => escapeControls(text.replace(/\p{Cc}/gu, escaped));

function escaped(character: string): string {
  let text = '';
  // JSON escapes UTF-16 code units.
  for (let at = 0; at < character.length; at++)
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}
