/** Networks of a directory file, and prefixes that it reserves. A file is not written, so nothing is acquired or published. */
import { UsageError } from '../../base/errors.ts';
import { DirectoryError } from '../directory.ts';
import type { Network } from '../network.ts';
import type { HostIdentity } from '../ownership.ts';
import type { PrefixPublished, Prefixes } from '../prefixes.ts';
import type { FileContents } from './contents.ts';

/** @throws UsageError for a network whose guests publish themselves */
export function networkNamed(contents: FileContents, name: string, file: string): Network | undefined {
  for (const { network } of contents.values()) {
    if (network?.network.name !== name) continue;
    if (network.network.publish !== 'none')
      throw new UsageError(
        `${file}: network ${name} has "publish: ${network.network.publish}"; with a directory file only "publish: none" is possible`,
      );
    return network.network;
  }
  return undefined;
}

export class FilePrefixes implements Prefixes {
  readonly #file: string;
  readonly #contents: () => FileContents | undefined;

  constructor(file: string, contents: () => FileContents | undefined) {
    this.#file = file;
    this.#contents = contents;
  }

  /** The prefix that is reserved for the host's id. @throws UsageError when there is none */
  acquire({ name, vni }: Network, { id }: HostIdentity): Promise<string> {
    const contents = this.#contents();
    if (contents === undefined) return Promise.reject(new DirectoryError('nothing was read yet'));
    const reserved = contents.get(vni)?.network?.reserved.find((one) => one.for === id);
    return reserved === undefined
      ? Promise.reject(new UsageError(`${this.#file}: network ${name} reserves no prefix for host ${id}`))
      : Promise.resolve(reserved.cidr);
  }

  /** The file has the lease, or not. */
  publish(): Promise<PrefixPublished> {
    return Promise.resolve({ outcome: 'ok', since: 0 });
  }

  withdraw(): Promise<number> {
    return Promise.resolve(0);
  }

  release(): Promise<string[]> {
    return Promise.resolve([]);
  }
}
