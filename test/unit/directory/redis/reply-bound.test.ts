import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OversizedReply, ReplyBound } from '../../../../src/directory/redis/reply-bound.ts';

const BOUNDS = { value: 8, reply: 1_000 };

/** What goes on of a reply that comes in pieces of so many bytes. */
function passed(reply: string | Buffer, piece: number, bounds = BOUNDS): string {
  const bound = new ReplyBound(bounds);
  const bytes = Buffer.from(reply);
  const out: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += piece)
    out.push(Buffer.from(bound.pass(Buffer.from(bytes.subarray(at, at + piece)))));
  return Buffer.concat(out).toString('latin1');
}

const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;

describe('the reply of a server', () => {
  it('passes unchanged if it is small', () => {
    const reply = `+OK\r\n-ERR no\r\n:5\r\n*3\r\n${bulk('eight888')}$-1\r\n*2\r\n${bulk('')}:1\r\n*-1\r\n*0\r\n%1\r\n+a\r\n+b\r\n`;
    for (const piece of [1, 2, 3, 7, 1000]) expect(passed(reply, piece)).toBe(reply);
    const chunk = Buffer.from(reply);
    expect(new ReplyBound(BOUNDS).pass(chunk)).toBe(chunk);
  });

  it('has long values cut, in any pieces that it arrives in', () => {
    const reply = `*2\r\n${bulk('123456789')}${bulk('x'.repeat(500))}+OK\r\n`;
    for (const piece of [1, 2, 3, 7, 64, 1000])
      expect(passed(reply, piece)).toBe(`*2\r\n${bulk('12345678')}${bulk('xxxxxxxx')}+OK\r\n`);
  });

  it('is bounded reply by reply', () => {
    const reply = bulk('x'.repeat(900));
    expect(passed(reply.repeat(5), 100)).toBe(bulk('xxxxxxxx').repeat(5));
  });

  it.each([
    ['a value that is announced', '$536870912\r\n'],
    ['values one after the other', `*4\r\n${bulk('x'.repeat(300)).repeat(4)}`],
    ['elements that are announced', '*2000000\r\n'],
    ['pairs that are announced', '%600000\r\n'],
  ])('ends the connection for %s above the bound', (_, reply) => {
    expect(() => passed(reply, 64)).toThrow(OversizedReply);
  });

  it.each([
    ['+' + 'x'.repeat(70_000), 'a line without end'],
    ['*abc\r\n', 'a length that is no number'],
    ['$\r\n', 'a length that is no number'],
    ['*1\r\n'.repeat(20), 'arrays too deep'],
    ['?1\r\n', 'no known type'],
    ['+OK\n', 'a line that does not end'],
  ])('ends the connection if it is invalid: %j', (reply, reason) => {
    expect(() => passed(reply, 500)).toThrow(reason);
  });

  it('stays parseable for all values and pieces', () => {
    const value = fc.option(fc.string({ maxLength: 30 }).map((text) => Buffer.from(text).toString('latin1')));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 8 }), fc.integer({ min: 1, max: 50 }), (values, piece) => {
        const reply = (longest: number): string =>
          `*${values.length}\r\n${values.map((one) => (one === null ? '$-1\r\n' : bulk(one.slice(0, longest)))).join('')}`;
        const said = Buffer.from(reply(Infinity), 'latin1');
        expect(passed(said, piece)).toBe(reply(BOUNDS.value));
      }),
    );
  });

  it('needs no more memory than the part that passes', () => {
    const bound = new ReplyBound({ value: 8, reply: 2 ** 40 });
    const piece = Buffer.alloc(64 * 1024, 'x');
    bound.pass(Buffer.from('*1\r\n$500000000\r\n'));
    bound.pass(piece);
    let kept = 0;
    for (let sent = 0; sent < 200_000_000; sent += piece.length) kept += bound.pass(piece).length;
    expect(kept).toBe(0);
  });
});
