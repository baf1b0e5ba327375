import type { RowSpec } from '../panels.ts';
import { DAEMONS, one, orNone, rate, rateBy } from '../queries.ts';

export const NETWORKS: RowSpec = {
  title: 'Networks and guests',
  // Nobody joins a network there.
  pictured: false,
  panels: [
    {
      ...{ kind: 'number', title: 'Networks joined', unit: 'none', width: 4 },
      description: 'Networks of --join that stand on a host, summed over the hosts.',
      queries: one(orNone(`sum(missd_network_joined{${DAEMONS}})`), 'joined'),
    },
    {
      ...{ kind: 'number', title: 'Networks not joined', unit: 'none', width: 4, warn: 1, alarm: 1 },
      description: 'Networks of --join that do not stand. missd status on that host says why.',
      queries: one(orNone(`count(missd_network_joined{${DAEMONS}} == 0)`), 'not joined'),
    },
    {
      ...{
        kind: 'number',
        title: 'Networks without a host lease',
        unit: 'none',
        width: 4,
        warn: 1,
        alarm: 1,
      },
      description:
        'A host without one publishes nothing there. With Redis away it ends for all, and nobody’s records go.',
      queries: one(orNone(`count(missd_host_lease_remaining_seconds{${DAEMONS}} == 0)`), 'without'),
    },
    {
      ...{ kind: 'number', title: 'Guests published', unit: 'none', width: 4 },
      description: 'Guests whose records the chosen hosts have published.',
      queries: one(orNone(`sum(missd_published_guests{${DAEMONS}})`), 'guests'),
    },
    {
      ...{ kind: 'number', title: 'Addresses published', unit: 'none', width: 4 },
      description: 'Records of their addresses.',
      queries: one(orNone(`sum(missd_published_addresses{${DAEMONS}})`), 'addresses'),
    },
    {
      ...{ kind: 'number', title: 'No prefix free, 1 h', unit: 'none', width: 4, warn: 1, alarm: 1 },
      description: 'Attempts to join a routed network of which every prefix is assigned or reserved.',
      queries: one(`sum(increase(missd_prefixes_total{${DAEMONS},event="exhausted"}[1h]))`, 'attempts'),
    },
    {
      ...{ kind: 'graph', title: 'Guests, by network', unit: 'none', width: 8 },
      description: 'Published by all chosen hosts.',
      queries: one(orNone(`sum by (network) (missd_published_guests{${DAEMONS}})`), '{{network}}'),
    },
    {
      ...{ kind: 'graph', title: 'Host lease, lowest', unit: 's', width: 8 },
      description:
        'Time until a lease ends if it is not renewed, of the host with least. It is renewed at a third of its length: 20 to 30 s of 30.',
      queries: one(
        orNone(`min by (network) (missd_host_lease_remaining_seconds{${DAEMONS}})`),
        '{{network}}',
      ),
    },
    {
      ...{ kind: 'graph', title: 'Host leases lost', unit: 'ops', width: 8 },
      description:
        'lapsed: not renewed in time. displaced, refused, cloned: another process has the host id of this host.',
      queries: one(rateBy('reason', 'missd_host_lease_losses_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'graph', title: 'Published and withdrawn', unit: 'ops', width: 8 },
      description:
        'restored: put back after somebody else deleted it. reaped: guests of hosts whose lease has ended.',
      queries: one(rateBy('action', 'missd_publications_total'), '{{action}}'),
    },
    {
      ...{ kind: 'graph', title: 'Guests that moved', unit: 'ops', width: 8 },
      description:
        'here and away are one move, seen by two hosts. back: the guest still answers at its former host.',
      queries: one(rateBy('direction', 'missd_guest_moves_total'), '{{direction}}'),
    },
    {
      ...{ kind: 'graph', title: 'Claims to another’s address', unit: 'ops', width: 8 },
      description:
        'released: the other did not answer, as for a virtual IP. refused: it did, so two guests have one address.',
      queries: one(rateBy('result', 'missd_claims_total'), '{{result}}'),
    },
    {
      ...{ kind: 'graph', title: 'Not published', unit: 'ops', width: 8 },
      description:
        'manual: written by hand. duplicate: another MAC has the address. frozen: the MAC moved too often. lease: the host has none.',
      queries: one(rateBy('reason', 'missd_not_published_total'), '{{reason}}'),
    },
    {
      ...{ kind: 'graph', title: 'Addresses of guests refused', unit: 'ops', width: 8 },
      description:
        'outside the subnet, the gateway’s, anycast, the host’s; limit: more than --ports-limit behind a port.',
      queries: one(
        rateBy('reason', 'missd_guest_addresses_refused_total', `${DAEMONS},reason!="excess"`),
        '{{reason}}',
      ),
    },
    {
      ...{ kind: 'graph', title: 'Sightings dropped', unit: 'ops', width: 8 },
      description:
        'What guests and bridges say faster than missd reads, and claims beyond what is answered at once.',
      queries: [
        {
          expr: `sum(${rate('missd_guest_addresses_refused_total', `${DAEMONS},reason="excess"`)})`,
          legend: 'frames of guests',
        },
        {
          expr: `sum(${rate('missd_netlink_overruns_total', `${DAEMONS},socket="bridge"`)})`,
          legend: 'FDB of bridges',
        },
        {
          expr: rateBy('lane', 'missd_overflows_total', `${DAEMONS},lane=~"guests|publish"`),
          legend: 'lane {{lane}}',
        },
      ],
    },
    {
      ...{ kind: 'graph', title: 'Joining', unit: 'ops', width: 8 },
      description:
        'Repairs: somebody changes what missd made. Records restored: the directory had lost the record of a network.',
      queries: [
        { expr: `sum(${rate('missd_join_failures_total')})`, legend: 'failures' },
        { expr: `sum(${rate('missd_join_repairs_total')})`, legend: 'repairs' },
        { expr: `sum(${rate('missd_network_records_restored_total')})`, legend: 'records restored' },
      ],
    },
    {
      ...{ kind: 'graph', title: 'Prefixes of routed networks', unit: 'ops', width: 8 },
      description:
        'yielded: another host had it earlier. manual: a record written by hand says something else. exhausted: none was free.',
      queries: one(rateBy('event', 'missd_prefixes_total'), '{{event}}'),
    },
    {
      ...{ kind: 'graph', title: 'Messages of the feed', unit: 'ops', width: 8 },
      description: 'Of changed records in the VNIs that a host serves. None while nothing changes.',
      queries: one(rate('missd_directory_feed_messages_total')),
    },
  ],
};
