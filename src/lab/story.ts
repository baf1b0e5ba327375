/** Print for people: numbered chapters, commands as typed, tables, within 80 columns. */
import { type Out as Where, type Palette, paletteFor } from '../screen/palette.ts';
import { wrapped } from '../screen/wrap.ts';

const WIDTH = 80;

type Out = Where & { write(text: string): unknown };

export class Story {
  #chapter = 0;
  readonly #out: Out;
  readonly #color: Palette;

  /** Told to nobody, where a program wants the figures alone. */
  static untold(): Story {
    return new Story({ write: () => true, isTTY: false });
  }

  constructor(out: Out = process.stdout) {
    this.#out = out;
    this.#color = paletteFor(out);
  }

  chapter(title: string): void {
    this.#chapter += 1;
    this.line('');
    this.line(this.#color.bold(`${this.#chapter}  ${title}`));
  }

  /** Prose, wrapped and indented. */
  say(text: string): void {
    for (const line of wrapped(text.split(/\s+/), WIDTH - 3)) this.line(`   ${line}`);
  }

  /** A command as one could type it, continued with backslashes where it is long. */
  command(text: string): void {
    const words = text.match(/'[^']*'|\S+/g) ?? [];
    const lines = wrapped(words, WIDTH - '     $  \\'.length, 'whole');
    this.line(this.#color.cyan(`   $ ${lines.join(' \\\n       ')}`));
  }

  /** What a command printed. */
  printed(lines: readonly string[]): void {
    for (const line of lines) this.line(`     ${this.#color.dim(line)}`);
  }

  picture(text: string): void {
    for (const line of text.replace(/^\n|\n\s*$/g, '').split('\n')) this.line(`   ${line}`);
  }

  good(text: string): void {
    this.line('');
    for (const line of wrapped(text.split(/\s+/), WIDTH)) this.line(this.#color.green(line));
  }

  line(text: string): void {
    this.#out.write(`${text}\n`);
  }
}
