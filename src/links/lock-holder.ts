import { type SocketOwner, socketOwner } from '../inspect/socket-owner.ts';
import type { NamedSocket } from '../kernel/kernel.ts';

/** Sockets whose owner is remembered: to look for one reads the descriptors of every process. */
const MOST_KNOWN = 1_024;

/** Who has the names of locks. */
export class LockHolders {
  readonly #find: (inode: number) => SocketOwner | undefined;
  readonly #known = new Map<number, SocketOwner | undefined>();

  constructor(find: (inode: number) => SocketOwner | undefined = socketOwner) {
    this.#find = find;
  }

  /** Whether it may be a missd: one that cannot be seen may, in a container of its own. */
  readonly isMissd = (socket: NamedSocket): boolean => {
    const program = this.#ownerOf(socket)?.program;
    return program === undefined || /node|missd/i.test(program);
  };

  /** For logs. */
  describe(socket: NamedSocket): string {
    const owner = this.#ownerOf(socket);
    const user = socket.uid === undefined ? [] : [`uid ${socket.uid}`];
    const process = owner === undefined ? 'a process not seen from here' : `pid ${owner.pid}`;
    return `${process} (${[...(owner === undefined ? [] : [owner.comm]), ...user].join(', ')})`;
  }

  #ownerOf({ inode }: NamedSocket): SocketOwner | undefined {
    if (this.#known.has(inode)) return this.#known.get(inode);
    if (this.#known.size >= MOST_KNOWN) this.#known.clear();
    const owner = this.#find(inode);
    this.#known.set(inode, owner);
    return owner;
  }
}
