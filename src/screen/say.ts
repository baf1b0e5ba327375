/** Standard output, as text or as JSON. */

import { escapeControls } from './escape-controls.ts';

export function say(text: string): void {
  process.stdout.write(escapeControls(text));
}

export function sayJson(value: unknown): void {
  say(`${JSON.stringify(value)}\n`);
}
