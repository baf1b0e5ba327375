/**
 * The Lua scripts, one file a verb in scripts/, each with its input and output at its head. Redis runs a script as one step:
 * what a script tests still holds when it writes. All keys of a call lie in the slot of one VNI.
 */
import { readFileSync } from 'node:fs';
import type { Cluster, Redis } from 'ioredis';

export type Verb =
  | 'renew'
  | 'leave'
  | 'publish'
  | 'move'
  | 'withdraw'
  | 'reap'
  | 'index-network'
  | 'restore-network'
  | 'acquire-prefix'
  | 'publish-prefix'
  | 'withdraw-prefix';

type Run = (keys: number, ...words: (string | number)[]) => Promise<unknown>;

/** What ioredis is to call a script: its own commands stay as they are. */
const commandOf = (verb: Verb): string => `missd:${verb}`;

export class RedisScripts {
  readonly #client: Redis | Cluster;

  constructor(client: Redis | Cluster) {
    this.#client = client;
  }

  /**
   * Sends EVALSHA, and EVAL where the server does not know the script yet.
   * @throws Error of ioredis
   */
  run(verb: Verb, keys: readonly string[], words: readonly (string | number)[]): Promise<unknown> {
    const command = commandOf(verb);
    if (!(command in this.#client)) this.#client.defineCommand(command, { lua: scriptOf(verb) });
    const run = Reflect.get(this.#client, command) as Run;
    return run.call(this.#client, keys.length, ...keys, ...words);
  }
}

const scripts = new Map<Verb, string>();

function scriptOf(verb: Verb): string {
  const known = scripts.get(verb);
  if (known !== undefined) return known;
  const script = readFileSync(new URL(`scripts/${verb}.lua`, import.meta.url), 'utf8');
  scripts.set(verb, script);
  return script;
}
