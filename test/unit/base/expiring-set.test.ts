import { beforeEach, describe, expect, it } from 'vitest';
import { ExpiringSet } from '../../../src/base/expiring-set.ts';
import { OwnVteps } from '../../../src/links/own-vteps.ts';

describe('ExpiringSet', () => {
  let time: number;
  let set: ExpiringSet;

  beforeEach(() => {
    time = 0;
    set = new ExpiringSet(1_000, 3, () => time);
  });

  it('remembers an item exactly for the lifetime', () => {
    set.add('a');
    time = 999;
    expect(set.has('a')).toBe(true);
    time = 1_000;
    expect(set.has('a')).toBe(false);
    expect(set.size).toBe(0);
  });

  it('restarts the lifetime of an item that is added again', () => {
    set.add('a');
    time = 500;
    set.add('b');
    time = 600;
    set.add('a');
    time = 1_599;
    expect(set.has('a')).toBe(true);
    expect(set.size).toBe(1);
    time = 1_600;
    expect(set.size).toBe(0);
  });

  it('drops the oldest item at its bound, but not for an item that it has', () => {
    for (const key of ['a', 'b', 'c', 'a', 'd']) set.add(key);
    expect(['a', 'b', 'c', 'd'].map((key) => set.has(key))).toEqual([true, false, true, true]);
    expect(set.size).toBe(3);
  });

  it('forgets a deleted item', () => {
    set.add('a');
    set.add('b');
    set.delete('a');
    expect(set.has('a')).toBe(false);
    set.clear();
    expect(set.size).toBe(0);
  });

  it('without a lifetime remembers nothing', () => {
    const none = new ExpiringSet(0, 3, () => time);
    none.add('a');
    expect(none.has('a')).toBe(false);
    expect(none.size).toBe(0);
  });
});

describe('OwnVteps', () => {
  it('are those of every namespace, each of which replaces its own', () => {
    const own = new OwnVteps();
    expect(own.set('one', ['10.0.0.1', '10.0.0.2'])).toBe(true);
    expect(own.set('two', ['10.0.0.2'])).toBe(false);
    expect(own.set('one', ['10.0.0.3'])).toBe(true);
    expect(['1', '2', '3'].map((n) => own.has(`10.0.0.${n}`))).toEqual([false, true, true]);
    expect(own.set('two', [])).toBe(true);
    expect(own.has('10.0.0.2')).toBe(false);
    expect(own.set('two', [])).toBe(false);
  });

  it('reports a change when one address replaces another', () => {
    const own = new OwnVteps();
    own.set('one', ['10.0.0.1']);
    expect(own.set('one', ['10.0.0.2'])).toBe(true);
    expect(own.set('one', ['10.0.0.2'])).toBe(false);
  });
});
