/**
 * Writes log lines to standard error without blocking. A disk may be full, a terminal closed, the reader of a pipe gone
 * or asleep; then lines are lost and counted, and the daemon goes on.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';

/** Bytes of lines that may wait for a slow reader; further lines are lost. */
const MOST_WAITING = 256 * 1024;
/** Delay before the next try, ms. */
const RETRY = 50;

/** write(2), as `fs.writeSync` has it. @throws NodeJS.ErrnoException */
export type Write = (bytes: Uint8Array) => number;

export class LogOutput {
  /** Lines that could not be written. */
  lost = 0;
  /** Called at the first write after a loss, with the number of lost lines and the errno of the last. */
  onRecovery: (lost: number, reason: string) => void = () => undefined;
  readonly #write: Write;
  readonly #waiting: Buffer[] = [];
  #bytes = 0;
  /** Bytes of the first waiting line that are written. */
  #begun = 0;
  #timer: NodeJS.Timeout | undefined;
  /** The end of the last line written is missing. */
  #torn = false;
  #lostInARow = 0;
  #reason = '';

  constructor(write: Write) {
    this.#write = write;
  }

  /** Never throws and never waits. @param line with its newline */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length > 0 && this.#bytes + bytes.length > MOST_WAITING) {
      this.#lose('EAGAIN');
      return;
    }
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#timer === undefined) this.flush();
  }

  /** Writes waiting lines until a write would block. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (let line = this.#waiting[0]; line !== undefined; line = this.#waiting[0]) {
      try {
        if (this.#torn && this.#write(NEWLINE) > 0) this.#torn = false;
        while (this.#begun < line.length) this.#begun += this.#write(line.subarray(this.#begun));
        this.#drop(line);
        this.#recover();
      } catch (error) {
        const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
        if (code === 'EAGAIN') {
          // This timer must not keep the process alive.
          this.#timer = setTimeout(() => {
            this.flush();
          }, RETRY).unref();
          return;
        }
        this.#torn ||= this.#begun > 0;
        this.#drop(line);
        this.#lose(code);
      }
    }
  }

  #drop(line: Buffer): void {
    this.#waiting.shift();
    this.#bytes -= line.length;
    this.#begun = 0;
  }

  #lose(reason: string): void {
    this.lost++;
    this.#lostInARow++;
    this.#reason = reason;
  }

  #recover(): void {
    const lost = this.#lostInARow;
    if (lost === 0 || this.#waiting.length > 0) return;
    this.#lostInARow = 0;
    this.onRecovery(lost, this.#reason);
  }
}

const NEWLINE = Buffer.from('\n');

/**
 * Standard error of this process. A pipe or terminal is reopened: O_NONBLOCK belongs to the open file description, and
 * other processes that share the inherited one expect blocking writes (open(2)).
 */
export function standardError(): LogOutput {
  let fd = 2;
  const flags = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
  try {
    const kind = fstatSync(fd);
    if (kind.isFIFO() || kind.isCharacterDevice()) fd = openSync('/proc/self/fd/2', flags);
  } catch {
    // The file is another user's, or has no reader: the inherited one is used. Node has set O_NONBLOCK on a pipe.
  }
  return new LogOutput((bytes) => writeSync(fd, bytes));
}
