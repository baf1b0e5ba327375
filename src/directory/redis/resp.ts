/**
 * As much of RESP2 as it takes to read values: commands out, replies in. The Redis serialization protocol:
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */

/** The values of an MGET, a status such as PONG, or what the server says against the command. */
export type Reply = (string | null)[] | string | Error;

const CR = 13;
const LF = 10;
const PLUS = 43;
const MINUS = 45;
const ZERO = 48;
const DOLLAR = 36;
const ASTERISK = 42;

/** The end of a line is this near, or never comes; of an error it is the longest part that counts. */
const LONGEST_LINE = 64 * 1024;
/** Of one value and of values in one reply, by the protocol. */
const LONGEST_VALUE = 512 * 1024 * 1024;
const MOST_VALUES = 1024 * 1024;
/** Bytes that end a line. */
const END = 2;

/** A command with its arguments, to be sent as UTF-8. */
export function encodeCommand(command: readonly string[]): string {
  let text = `*${command.length}\r\n`;
  for (const argument of command) text += `$${Buffer.byteLength(argument)}\r\n${argument}\r\n`;
  return text;
}

/** Takes replies out of a stream of bytes, wherever it is cut. */
export class ReplyParser {
  readonly #deliver: (reply: Reply) => void;
  /** Bytes of something that is not complete, in order, and how many of them there must be before it may be. */
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #needed = 0;
  /** Of the array that is being read, and how many it will be. */
  #values: (string | null)[] | undefined;
  #count = 0;

  constructor(deliver: (reply: Reply) => void) {
    this.#deliver = deliver;
  }

  /**
   * @param chunk the caller may overwrite it afterwards
   * @throws Error when this is not what a server answers to MGET, PING, AUTH or SELECT; nothing is to be read after it
   */
  push(chunk: Buffer): void {
    if (this.#keptBytes + chunk.length < this.#needed) {
      this.#keep(chunk);
      return;
    }
    const bytes = this.#kept.length === 0 ? chunk : Buffer.concat([...this.#kept, chunk]);
    this.#kept = [];
    this.#keptBytes = 0;
    let at = 0;
    while (at < bytes.length) {
      const next = this.#read(bytes, at);
      if (next < 0) {
        this.#needed = -next;
        this.#keep(bytes.subarray(at));
        return;
      }
      at = next;
    }
    this.#needed = 0;
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(Buffer.from(bytes));
    this.#keptBytes += bytes.length;
  }

  /** Reads one line and what it announces. @returns where the next begins, or less than 0: minus the bytes it takes from here */
  #read(bytes: Buffer, start: number): number {
    const lineEnd = bytes.indexOf(CR, start);
    if (lineEnd < 0 || lineEnd + 1 === bytes.length) {
      if (bytes.length - start > LONGEST_LINE) throw malformed('a line without end');
      return -(bytes.length - start + 1);
    }
    if (bytes[lineEnd + 1] !== LF) throw malformed('a line that does not end');
    const next = lineEnd + END;
    const type = bytes[start];
    if (type === DOLLAR) return this.#readValue(bytes, start, lineEnd);
    if (this.#values !== undefined) throw malformed('an array of something else than values');
    if (type === ASTERISK) {
      this.#count = lengthAt(bytes, start + 1, lineEnd, MOST_VALUES) ?? 0;
      this.#values = [];
      this.#endArray();
    } else if (type === PLUS) this.#deliver(bytes.toString('utf8', start + 1, lineEnd));
    else if (type === MINUS) this.#deliver(new Error(bytes.toString('utf8', start + 1, lineEnd)));
    else throw malformed('a reply of no known type');
    return next;
  }

  #readValue(bytes: Buffer, start: number, lineEnd: number): number {
    if (this.#values === undefined) throw malformed('a value outside of an array');
    const length = lengthAt(bytes, start + 1, lineEnd, LONGEST_VALUE);
    let next = lineEnd + END;
    if (length === undefined) this.#values.push(null);
    else {
      const end = next + length;
      if (end + END > bytes.length) return -(end + END - start);
      if (bytes[end] !== CR || bytes[end + 1] !== LF) throw malformed('a value of another length');
      this.#values.push(bytes.toString('utf8', next, end));
      next = end + END;
    }
    this.#endArray();
    return next;
  }

  #endArray(): void {
    const values = this.#values;
    if (values?.length !== this.#count) return;
    this.#values = undefined;
    this.#deliver(values);
  }
}

/** @returns undefined for -1, which stands for nothing */
function lengthAt(bytes: Buffer, start: number, end: number, most: number): number | undefined {
  if (bytes[start] === MINUS && bytes[start + 1] === ZERO + 1 && start + END === end) return undefined;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) throw malformed('a length that is no number');
    length = length * 10 + digit;
    if (length > most) throw malformed('a length beyond all bounds');
  }
  if (start === end) throw malformed('a length that is no number');
  return length;
}

const malformed = (what: string): Error => new Error(`malformed reply: ${what}`);
