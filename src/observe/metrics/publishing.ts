/** What this host publishes, and what it does not. */
import type { Observed } from '../observed.ts';
import type { Metrics } from './metrics.ts';
import type { Sample } from './read-metric.ts';

const of = (label: string, counts: Readonly<Record<string, number>>): Sample[] =>
  Object.entries(counts).map(([value, count]) => [{ [label]: value }, count]);

export function publishPublishing(to: Metrics, { networks: { publishing } }: Observed): void {
  const { counters, networkCounters } = publishing;
  to.gauge('missd_published_guests', 'Guests whose records this host has published', () =>
    publishing.states().map(({ network, guests }) => [{ network }, guests]),
  );
  to.gauge('missd_published_addresses', 'Addresses that this host has published', () =>
    publishing.states().map(({ network, addresses }) => [{ network }, addresses]),
  );
  to.gauge(
    'missd_host_lease_remaining_seconds',
    'Time until the host lease ends if it is not renewed; 0 where this host has none',
    () => publishing.states().map(({ network, lease }) => [{ network }, lease]),
  );
  to.counter('missd_host_lease_losses_total', 'Times that the host lease was lost, by reason', () =>
    of('reason', counters.leaseLosses),
  );
  to.counter('missd_publications_total', 'Guests published and records removed, by action', () =>
    of('action', counters.publications),
  );
  to.counter('missd_guest_moves_total', 'Guests that moved between hosts', () =>
    of('direction', counters.moves),
  );
  to.counter('missd_claims_total', 'Claims to addresses that another MAC has, by result', () =>
    of('result', counters.claims),
  );
  to.counter(
    'missd_not_published_total',
    'Times that a guest or an address began not to be published, by reason',
    () => of('reason', counters.notPublished),
  );
  to.counter('missd_guest_addresses_refused_total', 'Addresses of guests that do not count, by reason', () =>
    of('reason', publishing.refusedAddresses()),
  );
  to.counter('missd_prefixes_total', 'Prefixes of this host in routed networks, by event', () =>
    of('event', networkCounters.prefixes),
  );
  to.counter(
    'missd_network_records_restored_total',
    'Records of joined networks that the directory had lost',
    () => networkCounters.restored,
  );
}
