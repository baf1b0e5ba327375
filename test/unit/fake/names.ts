/** Abstract unix sockets of a namespace, as the kernel keeps them: a name once of each kind, and whose it is. */
import type { NameKind, NamedSocket } from '../../../src/kernel/kernel.ts';

export class FakeNames {
  /** By kind and name. */
  readonly #sockets = new Map<string, NamedSocket>();
  #inode = 0;
  /** Called after a name was taken, for what another process does at that moment. */
  onLock: (name: string) => void = () => undefined;
  /** What unix_diag answers with, where it does not. */
  failure: Error | undefined;

  /** False where it is taken. */
  bind(name: string, kind: NameKind, uid: number): boolean {
    const key = `${kind} ${name}`;
    if (this.#sockets.has(key)) return false;
    this.#sockets.set(key, { name, inode: ++this.#inode, uid, listening: kind === 'listening' });
    this.onLock(name);
    return true;
  }

  close(name: string, kind: NameKind): void {
    this.#sockets.delete(`${kind} ${name}`);
  }

  clear(): void {
    this.#sockets.clear();
  }

  list(prefix: string): NamedSocket[] {
    if (this.failure !== undefined) throw this.failure;
    return [...this.#sockets.values()].filter(({ name }) => name.startsWith(prefix));
  }
}
