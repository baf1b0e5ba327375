import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommand, type Reply, ReplyParser } from '../../../../src/directory/redis/resp.ts';

function parsed(...chunks: (Buffer | string)[]): Reply[] {
  const replies: Reply[] = [];
  const parser = new ReplyParser((reply) => replies.push(reply));
  for (const chunk of chunks) {
    const bytes = Buffer.from(chunk);
    parser.push(bytes);
    // The caller reads into the same memory again.
    bytes.fill('*');
  }
  return replies;
}

const bulk = (value: string | null): string =>
  value === null ? '$-1\r\n' : `$${Buffer.byteLength(value)}\r\n${value}\r\n`;
const encoded = (reply: Reply): string => {
  if (reply instanceof Error) return `-${reply.message}\r\n`;
  if (typeof reply === 'string') return `+${reply}\r\n`;
  return `*${reply.length}\r\n${reply.map(bulk).join('')}`;
};

const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ' '));
const value = fc.option(
  fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('\r\n', '$3\r\nabc\r\n', '-ERR')),
);
const reply: fc.Arbitrary<Reply> = fc.oneof(
  fc.array(value, { maxLength: 8 }),
  line,
  line.map((message) => new Error(message)),
);

describe('replies', () => {
  it('are the values of an MGET, statuses and errors', () => {
    expect(parsed('*3\r\n$2\r\nab\r\n$-1\r\n$0\r\n\r\n+PONG\r\n*0\r\n-NOPERM no\r\n')).toEqual([
      ['ab', null, ''],
      'PONG',
      [],
      new Error('NOPERM no'),
    ]);
  });

  it('parse the same wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 6 }), fc.array(fc.nat(400)), (replies, cuts) => {
        const bytes = Buffer.from(replies.map(encoded).join(''));
        const places = [...new Set(cuts.map((cut) => Math.min(cut, bytes.length)))].sort((a, b) => a - b);
        const chunks = [0, ...places].map((from, index) =>
          bytes.subarray(from, places[index] ?? bytes.length),
        );
        expect(parsed(...chunks)).toEqual(replies);
      }),
    );
  });

  it('parse byte by byte, and a long value in time that grows with its length', () => {
    const replies: Reply[] = [['zwölf', null, '\r\n'], 'OK', new Error('ERR')];
    const bytes = Buffer.from(replies.map(encoded).join(''));
    expect(parsed(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(replies);
    const long = 'x'.repeat(32 * 1024 * 1024);
    const text = Buffer.from(encoded([long]));
    const chunks = Array.from({ length: text.length / 1024 + 1 }, (_, i) =>
      text.subarray(i * 1024, (i + 1) * 1024),
    );
    expect(parsed(...chunks)).toEqual([[long]]);
  });

  it.each([
    ['HTTP/1.1 400 Bad Request\r\n'],
    ['$2\r\nab\r\n'],
    [':1\r\n'],
    ['*1\r\n:1\r\n'],
    ['*1\r\n*1\r\n$1\r\na\r\n'],
    ['*1\r\n$1\r\nab\r\n'],
    ['*1\r\n$x\r\n'],
    ['*\r\n'],
    ['*-2\r\n'],
    ['*1\r\n$99999999999999999999\r\n'],
    ['*99999999999\r\n'],
    ['+OK\rno'],
    ['+'.padEnd(70_000, 'x')],
  ])('that no server sends are refused: %j', (text) => {
    expect(() => parsed(text)).toThrow(/malformed reply/);
  });

  it('of any bytes are refused or read, with nothing else thrown', () => {
    const piece = fc.constantFrom('*', '$', '+', '-', '1', '2', '-1', '\r', '\n', '\r\n', 'ab', ':');
    fc.assert(
      fc.property(fc.array(fc.array(piece).map((pieces) => pieces.join(''))), (chunks) => {
        try {
          parsed(...chunks);
        } catch (error) {
          expect(String(error)).toMatch(/malformed reply/);
        }
      }),
    );
  });
});

it('commands are arrays of values, with lengths in bytes', () => {
  expect(encodeCommand(['MGET', 'ä:{1}'])).toBe('*2\r\n$4\r\nMGET\r\n$6\r\nä:{1}\r\n');
});
