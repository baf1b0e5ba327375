import { type SocketOwner, socketOwner } from '../inspect/socket-owner.ts';
import type { NamedSocket } from '../kernel/kernel.ts';

/** Most owners remembered: finding one reads the file descriptors of every process. */
const MOST_KNOWN = 1_024;

/** The processes that hold the names of locks. */
export class LockHolders {
  readonly #find: (inode: number) => SocketOwner | undefined;
  readonly #known = new Map<number, SocketOwner | undefined>();

  constructor(find: (inode: number) => SocketOwner | undefined = socketOwner) {
    this.#find = find;
  }

  /** Whether a socket may belong to a missd. A process in another container is not visible and may be one. */
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
