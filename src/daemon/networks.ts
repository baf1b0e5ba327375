/** The networks of `--join`: what missd makes on this host for them, and what it publishes in them. */
import { type Observable, merge } from 'rxjs';
import { monotonic } from '../base/clock.ts';
import { type Faults, attempt, revived } from '../base/guarded-lane.ts';
import type { FoldedLog, Logger } from '../base/log.ts';
import type { RunOptions } from '../config/options.ts';
import type { Directory, DirectoryChange } from '../directory/directory.ts';
import type { JoinedNetwork } from '../join/joined.ts';
import { Joins } from '../join/joins.ts';
import { inodeOf, siteOf } from '../join/site.ts';
import type { Host } from '../links/host.ts';
import type { NamespaceEvent } from '../links/namespace-event.ts';
import { prepareTopology } from '../links/prepare.ts';
import type { ServedDevice } from '../model/device.ts';
import { DadSilence } from '../nft/dad-silence.ts';
import { Publishing } from '../publish/publishing.ts';
import type { LeaveRequest } from './control-server.ts';

export interface NetworksDeps {
  options: RunOptions;
  directory: Directory;
  host: Host;
  log: Logger;
  complaints: FoldedLog;
  faults: Faults;
}

export class Networks {
  readonly joins: Joins;
  readonly publishing: Publishing;
  readonly #deps: NetworksDeps;
  readonly #dadSilence: DadSilence;

  constructor(deps: NetworksDeps) {
    const { options, directory, host, log, complaints, faults } = deps;
    this.#deps = deps;
    this.#dadSilence = new DadSilence(log, monotonic);
    this.publishing = new Publishing({
      ...{ directory, hostId: options.hostId, log, complaints, faults, now: monotonic },
      prefixLost: (network) => {
        this.joins.prefixLost(network);
      },
      deviceOf: this.#deviceOf,
    });
    const { site, namespace } = siteOf(options);
    this.joins = new Joins(options.join, site, namespace, {
      ...{ directory, host, log, complaints, faults, now: monotonic },
      prefixOf: (network, vtep) => this.publishing.prefixOf(network, vtep),
      release: (joined) => this.publishing.release(joined),
      stands: (joined) => {
        const device = this.#deviceOf(joined);
        if (device !== undefined) prepareTopology(device, log);
      },
    });
  }

  /** All work; never ends with an error. */
  work$(): Observable<unknown> {
    const { faults } = this.#deps;
    return merge(
      this.publishing.work$(this.joins.joined$).pipe(revived('publish', faults)),
      this.joins.work$().pipe(revived('join', faults)),
    );
  }

  onEvent(event: NamespaceEvent): void {
    attempt('publish', () => this.publishing.onEvent(event), this.#deps.faults);
  }

  onChange(change: DirectoryChange): void {
    const { faults } = this.#deps;
    if (change.type === 'network') {
      attempt('join', () => this.joins.recordChanged(change.vni), faults);
      return;
    }
    attempt('publish', () => this.publishing.onChange(change), faults);
    if (change.type === 'gap' || change.type === 'flushed')
      attempt('join', () => this.joins.recordChanged(), faults);
  }

  /** Whether the directory answers. */
  onState(up: boolean): void {
    attempt('publish', () => this.publishing.onState(up), this.#deps.faults);
  }

  /** Called every second. */
  tick(): void {
    const { host, faults } = this.#deps;
    const learning = (): ServedDevice[] => host.devices().filter((device) => device.learning);
    attempt('guests', () => void this.#dadSilence.keep(learning()), faults);
    attempt('publish', () => this.publishing.tick(), faults);
  }

  /** Leaves a network of `--join`; undefined where it is none. @throws Error where the kernel refuses */
  async leave({ namespace, network }: LeaveRequest): ReturnType<Joins['leave']> {
    const { site } = siteOf(this.#deps.options);
    return inodeOf(site.underlay) === namespace ? this.joins.leave(network) : undefined;
  }

  readonly #deviceOf = ({ namespace, device }: JoinedNetwork): ServedDevice | undefined =>
    [...(this.#deps.host.namespaces.get(namespace)?.devices.values() ?? [])].find(
      ({ link }) => link.name === device,
    );
}
