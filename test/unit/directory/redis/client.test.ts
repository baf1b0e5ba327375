import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { connectAgain } from '../../../../src/directory/redis/client.ts';

class Client extends EventEmitter {
  connects = 0;

  connect(): Promise<void> {
    this.connects++;
    return Promise.reject(new Error('there is no master yet'));
  }
}

let client: Client;
let closed: boolean;
let lost: number;

beforeEach(() => {
  vi.useFakeTimers();
  client = new Client();
  closed = false;
  lost = 0;
  connectAgain(
    client,
    () => closed,
    () => lost++,
  );
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a client that ends', () => {
  it('is reported as lost and connected again, every time', () => {
    for (let ended = 1; ended <= 3; ended++) {
      client.emit('end');
      vi.advanceTimersByTime(1_000);
      expect({ lost, connects: client.connects }).toEqual({ lost: ended, connects: ended });
    }
  });

  it('stays closed after close(), also between its end and the next attempt', () => {
    client.emit('end');
    closed = true;
    vi.advanceTimersByTime(2_000);
    client.emit('end');
    vi.advanceTimersByTime(2_000);
    expect(client.connects).toBe(0);
  });
});
