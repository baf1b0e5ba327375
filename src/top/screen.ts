/**
 * The terminal while `missd top` runs: the alternate screen buffer, no cursor, raw keys (xterm, ctlseqs: "Alternate Screen
 * Buffer"). The terminal is restored however the program ends.
 */
import type { ReadStream, WriteStream } from 'node:tty';
import { type Observable, filter, fromEvent, map, merge } from 'rxjs';
import { heightOf, widthOf } from '../screen/size.ts';
import type { Size } from './render.ts';

const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
const CLEAR = '\u001b[2J';
const HOME = '\u001b[H';
const TO_LINE_END = '\u001b[K';
const TO_SCREEN_END = '\u001b[J';

/** A terminal in raw mode sends this character instead of SIGINT. */
const CTRL_C = '\u0003';

export class Screen {
  readonly #out: WriteStream;
  readonly #keys: ReadStream;
  #entered = false;
  #resized: () => void = () => undefined;

  constructor(out: WriteStream = process.stdout, keys: ReadStream = process.stdin) {
    this.#out = out;
    this.#keys = keys;
  }

  get size(): Size {
    return { width: widthOf(this.#out), height: heightOf(this.#out) };
  }

  /** Emits on `q`, Ctrl-C or a signal. */
  quit$(): Observable<unknown> {
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => fromEvent(process, signal));
    if (!this.#keys.isTTY) return merge(...signals);
    const keys = fromEvent(this.#keys, 'data').pipe(
      map(String),
      filter((typed) => /q/i.test(typed) || typed.includes(CTRL_C)),
    );
    return merge(keys, ...signals);
  }

  /** @param redraw called when the terminal has another size (SIGWINCH) */
  enter(redraw: () => void): void {
    this.#entered = true;
    this.#resized = () => {
      this.#out.write(CLEAR);
      redraw();
    };
    this.#out.on('resize', this.#resized);
    process.once('exit', this.leave);
    // Leaves the alternate screen before the error is printed, else it would not be visible.
    process.once('uncaughtExceptionMonitor', this.leave);
    // Reading a closed terminal fails; SIGHUP reports the same and ends the program.
    this.#keys.on('error', () => undefined);
    if (this.#keys.isTTY) this.#keys.setRawMode(true);
    this.#out.write(ENTER);
  }

  draw(lines: readonly string[]): void {
    this.#out.write(HOME + lines.map((line) => line + TO_LINE_END).join('\r\n') + TO_SCREEN_END);
  }

  readonly leave = (): void => {
    if (!this.#entered) return;
    this.#entered = false;
    this.#out.off('resize', this.#resized);
    this.#out.write(LEAVE);
    try {
      if (this.#keys.isTTY) this.#keys.setRawMode(false);
    } catch {
      // The terminal is closed, so its mode does not matter.
    }
    this.#keys.pause();
  };
}
