/**
 * Characters that steer a terminal or reorder what is read on it: C1 controls (0x9b is a whole escape sequence), marks of
 * direction, and others that cannot be seen. JSON escapes only those below 0x20, and anybody may write a record.
 */
const STEERING = /[\u007f-\u009f\u2028\u2029\p{Cf}]/gu;

/** Written as JSON would, so that JSON stays JSON. What we write ourselves, colours and ends of lines, passes. */
export const withoutSteering = (text: string): string => text.replace(STEERING, escaped);

/** The same for one line of untrusted text. */
export const onOneLine = (text: string): string => withoutSteering(text.replace(/\p{Cc}/gu, escaped));

function escaped(character: string): string {
  let text = '';
  // By UTF-16 units, which is how JSON has them.
  for (let at = 0; at < character.length; at++)
    text += `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`;
  return text;
}
