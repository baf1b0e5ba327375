/** Standard output, for people as text and for programs as JSON. */

import { withoutSteering } from './steering.ts';

export function say(text: string): void {
  process.stdout.write(withoutSteering(text));
}

export function sayJson(value: unknown): void {
  say(`${JSON.stringify(value)}\n`);
}
