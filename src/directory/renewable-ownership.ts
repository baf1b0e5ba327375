/** The ownership of a directory whose connection can be replaced: every call goes to the connection in use. */
import type { Observable } from 'rxjs';
import type { OwnerMessage, Ownership } from './ownership.ts';

type Words<K extends keyof Ownership> = Ownership[K] extends (...words: infer W) => unknown ? W : never;

export class RenewableOwnership implements Ownership {
  readonly messages$: Observable<OwnerMessage>;
  readonly #current: () => Ownership;
  #listening: Words<'listen'>[0] = [];

  constructor(current: () => Ownership, messages$: Observable<OwnerMessage>) {
    this.#current = current;
    this.messages$ = messages$;
  }

  /** A connection that is about to be used listens to the same hosts. */
  prepare(next: Ownership): void {
    next.listen(this.#listening);
  }

  listen(...[hosts]: Words<'listen'>): void {
    this.#listening = hosts;
    this.#current().listen(hosts);
  }

  renew(...words: Words<'renew'>): ReturnType<Ownership['renew']> {
    return this.#current().renew(...words);
  }

  leave(...words: Words<'leave'>): ReturnType<Ownership['leave']> {
    return this.#current().leave(...words);
  }

  publish(...words: Words<'publish'>): ReturnType<Ownership['publish']> {
    return this.#current().publish(...words);
  }

  move(...words: Words<'move'>): ReturnType<Ownership['move']> {
    return this.#current().move(...words);
  }

  withdraw(...words: Words<'withdraw'>): ReturnType<Ownership['withdraw']> {
    return this.#current().withdraw(...words);
  }

  owned(...words: Words<'owned'>): ReturnType<Ownership['owned']> {
    return this.#current().owned(...words);
  }

  owner(...words: Words<'owner'>): ReturnType<Ownership['owner']> {
    return this.#current().owner(...words);
  }

  hosts(...words: Words<'hosts'>): ReturnType<Ownership['hosts']> {
    return this.#current().hosts(...words);
  }

  remaining(...words: Words<'remaining'>): ReturnType<Ownership['remaining']> {
    return this.#current().remaining(...words);
  }

  uptime(): ReturnType<Ownership['uptime']> {
    return this.#current().uptime();
  }

  reap(...words: Words<'reap'>): ReturnType<Ownership['reap']> {
    return this.#current().reap(...words);
  }

  tell(...words: Words<'tell'>): ReturnType<Ownership['tell']> {
    return this.#current().tell(...words);
  }
}
