import { describe, expect, test } from 'vitest';
import { AskedAddresses, MOST_PER_PORT } from '../../../../src/observe/top-addresses/asked-addresses.ts';
import { ip } from '../../fake/world.ts';

const GUEST = 6;
const SCANNER = 7;

/** Asks as a batch of misses does. */
const ask = (asked: AskedAddresses, address: string, port: number, now: number): void => {
  if (!asked.again(address, port, 1, now)) asked.add(address, 'l3', port, 1, now);
};
const scan = (asked: AskedAddresses, port: number, count: number, now: number): void => {
  for (let n = 0; n < count; n++) ask(asked, ip(10_000 + n), port, now + n);
};
const of = (asked: AskedAddresses, address: string) =>
  [...asked.all()].find((one) => one.address === address);

describe('memory', () => {
  test('does not grow with the number of addresses', () => {
    const asked = new AskedAddresses();
    scan(asked, SCANNER, 10_000, 0);
    expect(asked.size).toBe(MOST_PER_PORT);
  });

  test('keeps the repeated addresses of a port among addresses asked for once', () => {
    const asked = new AskedAddresses();
    for (let round = 0; round < 3; round++)
      for (let n = 0; n < MOST_PER_PORT - 1; n++) ask(asked, ip(n), GUEST, round);
    scan(asked, GUEST, 10_000, 10);
    for (let n = 0; n < MOST_PER_PORT - 1; n++) expect(asked.has(ip(n)), ip(n)).toBe(true);
  });

  test('keeps addresses of a port whatever another port asks for', () => {
    const asked = new AskedAddresses();
    ask(asked, ip(1), GUEST, 0);
    scan(asked, SCANNER, 10_000, 1);
    expect(of(asked, ip(1))).toMatchObject({ count: 1, since: 0, at: 0 });
  });

  test('drops the oldest of equally hot addresses', () => {
    const asked = new AskedAddresses();
    scan(asked, GUEST, MOST_PER_PORT, 0);
    ask(asked, ip(1), GUEST, 1_000);
    ask(asked, ip(2), GUEST, 1_001);
    expect([asked.has(ip(1)), asked.has(ip(2))]).toEqual([true, true]);
    expect([asked.has(ip(10_000)), asked.has(ip(10_001))]).toEqual([false, false]);
    expect(asked.has(ip(10_002))).toBe(true);
  });

  test('a replaced address leaves nothing to its successor', () => {
    const asked = new AskedAddresses();
    for (let n = 0; n < MOST_PER_PORT; n++) asked.add(ip(n), 'l2', GUEST, 5, n);
    asked.add(ip(100), 'l3', GUEST, 2, 500);
    expect(of(asked, ip(100))).toEqual({
      address: ip(100),
      layer: 'l3',
      owner: GUEST,
      port: GUEST,
      count: 2,
      heat: 2,
      since: 500,
      at: 500,
    });
  });
});

test('an address is counted for all ports, and its port is the one that asked last', () => {
  const asked = new AskedAddresses();
  ask(asked, ip(1), GUEST, 0);
  ask(asked, ip(1), SCANNER, 10);
  expect(asked.size).toBe(1);
  expect(of(asked, ip(1))).toMatchObject({ owner: GUEST, port: SCANNER, count: 2, since: 0, at: 10 });
});

test('a deleted address leaves its place to another', () => {
  const asked = new AskedAddresses();
  for (let n = 0; n < MOST_PER_PORT; n++) asked.add(ip(n), 'l3', GUEST, 1, n);
  for (const n of [0, MOST_PER_PORT - 1, 30]) asked.delete(ip(n));
  asked.delete(ip(0));
  expect(asked.size).toBe(MOST_PER_PORT - 3);
  for (let n = 100; n < 103; n++) asked.add(ip(n), 'l3', GUEST, 1, n);
  expect(asked.size).toBe(MOST_PER_PORT);
  expect([asked.has(ip(1)), asked.has(ip(31)), asked.has(ip(102))]).toEqual([true, true, true]);
  scan(asked, GUEST, 200, 1_000);
  expect(asked.size).toBe(MOST_PER_PORT);
  for (const { address } of [...asked.all()]) asked.delete(address);
  expect(asked.size).toBe(0);
});

test('heat decays, and addresses without misses are removed', () => {
  const asked = new AskedAddresses();
  asked.add(ip(1), 'l3', GUEST, 8, 0);
  asked.add(ip(2), 'l3', GUEST, 8, 100);
  asked.cool(1 / 2, 50);
  expect([...asked.all()].map(({ address, heat, count }) => [address, heat, count])).toEqual([[ip(2), 4, 8]]);
});
