/**
 * Bounds replies before they are buffered. A record has some 80 bytes, but a writer of the directory may write values of
 * 512 MB, and a broken server may announce any length. This parses only as much of the serialization protocol as is needed
 * to find the ends of values and replies (https://redis.io/docs/latest/develop/reference/protocol-spec/), and
 *
 *   cuts values: of a long one only the beginning goes on, with a length that is true of it
 *   refuses invalid replies: a reply that is too large as a whole, too deep, or has a line without end
 */

export interface Bounds {
  /** Bytes of a value that are passed on; a value of this length is no record. */
  value: number;
  /** Bytes of a reply as it is sent, with what is cut off. */
  reply: number;
}

/** The connection must end: the rest of the reply would still arrive on it. */
export class OversizedReply extends Error {
  constructor(bytes: number) {
    super(`malformed reply: larger than ${bytes} bytes`);
    this.name = 'OversizedReply';
  }
}

const CR = 13;
const LF = 10;
const MINUS = 45;
const ZERO = 48;

/** The end of a line is this near, or never comes; of an error it is the longest part that counts. */
const LONGEST_LINE = 64 * 1024;
/** Of elements in one array; what is asked for by the thousand is answered by the thousand, and FLUSHALL in one word. */
const MOST_ELEMENTS = 1024 * 1024;
/** Of arrays in each other. CLUSTER SLOTS has four. */
const DEEPEST = 8;
/** Bytes that end a line or a value. */
const END = 2;

/** By the first byte of a line: a value follows of so many bytes, or so many elements, or pairs of them; or the line is all. */
const VALUES = bytesOf('$=!');
const ARRAYS = bytesOf('*~>');
const MAPS = bytesOf('%');
const LINES = bytesOf('+-:_#,(');

export class ReplyBound {
  bounds: Bounds;
  /** The beginning of a line whose end has not come. */
  #line: Buffer | undefined;
  /** Of the value at hand: so many bytes go on, then so many do not, then its end does. */
  #keep = 0;
  #skip = 0;
  #end = 0;
  /** Elements that the arrays around still lack, innermost last. */
  readonly #lacking: number[] = [];
  /** Of the reply at hand, announced ones included. */
  #bytes = 0;

  constructor(bounds: Bounds) {
    this.bounds = bounds;
  }

  /**
   * @returns what is to be read of it, mostly the chunk itself
   * @throws Error, OversizedReply among them; nothing is to be read after it
   */
  pass(chunk: Buffer): Buffer {
    const pieces: Buffer[] = [];
    /** What is before has gone on, or is not to. */
    let from = 0;
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      if (this.#keep > 0) {
        const length = Math.min(this.#keep, left);
        this.#keep -= length;
        at += length;
      } else if (this.#skip > 0) {
        pieces.push(chunk.subarray(from, at));
        const length = Math.min(this.#skip, left);
        this.#skip -= length;
        from = at += length;
      } else if (this.#end > 0) {
        const length = Math.min(this.#end, left);
        at += length;
        if ((this.#end -= length) === 0) this.#endElement();
      } else {
        const lineEnd = chunk.indexOf(LF, at) + 1;
        if (lineEnd === 0) {
          pieces.push(chunk.subarray(from, at));
          this.#holdBack(chunk.subarray(at));
          return Buffer.concat(pieces);
        }
        const held = this.#line;
        const whole = held === undefined ? undefined : Buffer.concat([held, chunk.subarray(at, lineEnd)]);
        this.#line = undefined;
        const instead =
          whole === undefined
            ? this.#announce(chunk, at, lineEnd)
            : (this.#announce(whole, 0, whole.length) ?? whole);
        if (instead !== undefined) {
          pieces.push(chunk.subarray(from, at), instead);
          from = lineEnd;
        }
        at = lineEnd;
      }
    }
    return pieces.length === 0 ? chunk : Buffer.concat([...pieces, chunk.subarray(from)]);
  }

  #holdBack(bytes: Buffer): void {
    this.#line = Buffer.concat([this.#line ?? Buffer.alloc(0), bytes]);
    if (this.#line.length > LONGEST_LINE) throw malformed('a line without end');
  }

  /** @returns what is to go on in place of the line */
  #announce(bytes: Buffer, start: number, end: number): Buffer | undefined {
    const type = bytes[start] ?? 0;
    if (bytes[end - END] !== CR) throw malformed('a line that does not end');
    this.#count(end - start);
    if (LINES.has(type)) {
      this.#endElement();
      return undefined;
    }
    const length = lengthAt(bytes, start + 1, end - END);
    if (VALUES.has(type)) return this.#announceValue(type, length);
    if (!ARRAYS.has(type) && !MAPS.has(type)) throw malformed('a reply of no known type');
    const elements = length * (MAPS.has(type) ? 2 : 1);
    if (elements > MOST_ELEMENTS) throw new OversizedReply(this.bounds.reply);
    if (elements <= 0) this.#endElement();
    else if (this.#lacking.push(elements) > DEEPEST) throw malformed('arrays too deep in each other');
    return undefined;
  }

  /** @param length less than 0 for no value */
  #announceValue(type: number, length: number): Buffer | undefined {
    if (length < 0) {
      this.#endElement();
      return undefined;
    }
    this.#count(length + END);
    this.#end = END;
    this.#keep = Math.min(length, this.bounds.value);
    this.#skip = length - this.#keep;
    return this.#skip === 0 ? undefined : Buffer.from([type, ...Buffer.from(String(this.#keep)), CR, LF]);
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.bounds.reply) throw new OversizedReply(this.bounds.reply);
  }

  /** One of the innermost array, or the reply itself. */
  #endElement(): void {
    for (;;) {
      const last = this.#lacking.length - 1;
      if (last < 0) {
        this.#bytes = 0;
        return;
      }
      const lacking = (this.#lacking[last] ?? 0) - 1;
      this.#lacking[last] = lacking;
      if (lacking > 0) return;
      this.#lacking.pop();
    }
  }
}

/** @returns -1 for what stands for nothing */
function lengthAt(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] === MINUS && bytes[start + 1] === ZERO + 1 && start + 2 === end) return -1;
  let length = 0;
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) throw malformed('a length that is no number');
    length = length * 10 + digit;
  }
  if (start === end || !Number.isSafeInteger(length)) throw malformed('a length that is no number');
  return length;
}

function bytesOf(types: string): ReadonlySet<number> {
  return new Set(Buffer.from(types));
}

const malformed = (what: string): Error => new Error(`malformed reply: ${what}`);
