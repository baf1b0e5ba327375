/** Standard output, for people as text and for programs as JSON. */

export function say(text: string): void {
  process.stdout.write(text);
}

export function sayJson(value: unknown): void {
  say(`${JSON.stringify(value)}\n`);
}
