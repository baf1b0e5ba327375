/** Every word that is the value of a metric label or of a JSON field, in one place. This file imports nothing. */

/** The two kinds of misses. */
export const LAYERS = ['l2', 'l3'] as const;
export type Layer = (typeof LAYERS)[number];

/** Why a miss became no question. */
export const IGNORED = [
  'duplicate',
  'in_flight',
  'negative',
  'link_local',
  'unspecified',
  'unserved',
] as const;

/** How a question ended. */
export const OUTCOMES = ['resolved', 'unknown', 'failed', 'shed', 'local'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** How an announcement to an asker ended. */
export const ANNOUNCED = ['sent', 'failed', 'unknown_asker', 'dad', 'dropped'] as const;
export type AnnouncementOutcome = (typeof ANNOUNCED)[number];

/** The kernel tables that missd writes. */
export const TABLES = ['neighbour', 'fdb', 'bridge', 'route'] as const;

/** The stages of a miss that take time, see resolver/pipeline.ts. */
export const STAGES = ['queue', 'lookup', 'write', 'announce'] as const;

/** Why a connection to the HTTP address was refused: too many at once, or an error of the system. */
export const HTTP_REFUSALS = ['full', 'error'] as const;
export type HttpRefusal = (typeof HTTP_REFUSALS)[number];

/** Disagreements between the directory and this host. */
export const CONFLICTS = [
  /** An interface of the served namespace has the address. */
  'assigned_here',
  /** The bridge has the MAC on a port other than the VXLAN device. */
  'bridge_knows_mac',
  /** An FDB entry that is not ours stands in the way and names another VTEP. */
  'foreign_fdb',
  /** A neighbour that is not ours stands in the way. */
  'foreign_neighbour',
  /** A route that is not ours stands in the way. */
  'foreign_route',
  /** A permanent entry has replaced ours. */
  'overridden',
  /** An all-zeros FDB entry exists, so the kernel raises no L2 misses. */
  'default_remote',
  /** Records of one MAC name different VTEPs. */
  'vtep_disputed',
  /** A lease of another host covers an address that this host has, or the VTEP it names: no route is written to it. */
  'lease_covers_host',
  /** This host's own lease names another MAC than the device that routes has. */
  'lease_mac',
] as const;
export type Conflict = (typeof CONFLICTS)[number];

/** Corrections of the kernel tables; `idle` and `withdrawn` are the ordinary end of an entry. */
export const RECONCILE_ACTIONS = [
  'restored_fdb',
  'repaired_fdb',
  'restored_neighbour',
  'repaired_neighbour',
  'adopted_fdb',
  'adopted_neighbour',
  'removed_leftover',
  'removed_bridge_entry',
  'withdrawn',
  'withdrawn_local',
  'idle',
] as const;
export type ReconcileAction = (typeof RECONCILE_ACTIONS)[number];

/** Why entries gave way to newer ones. */
export const EVICTIONS = ['port_quota', 'max_entries'] as const;
export type Eviction = (typeof EVICTIONS)[number];

/** Why an entry of missd was removed. */
export type Departure = 'withdrawn' | 'idle' | 'port_quota' | 'max_entries' | 'moved_here';

/** What failed with the journal of a device. */
export const JOURNAL_FAILURES = ['open', 'write', 'corrupt'] as const;
export type JournalFailure = (typeof JOURNAL_FAILURES)[number];

/** The kernel has one neighbour table for each, shared by all namespaces. */
export const NEIGHBOUR_FAMILIES = ['ipv4', 'ipv6'] as const;
export type NeighbourFamily = (typeof NEIGHBOUR_FAMILIES)[number];

/** Why a record counts as absent. */
export const MALFORMED_REASONS = [
  'syntax',
  'not_canonical',
  'mac',
  'ip',
  'cidr',
  'vtep',
  'vtep_family',
  'vtep_not_allowed',
  'vtep_link_local',
  'vtep_broadcast',
  'size',
  'type',
  'excess',
] as const;
export type MalformedReason = (typeof MALFORMED_REASONS)[number];

/** Sockets that may overrun. `bridge`: bridges learned more MACs in a second than missd reads. */
export const OVERRUN_SOCKETS = ['miss', 'link', 'bridge'] as const;
export type OverrunSocket = (typeof OVERRUN_SOCKETS)[number];

/** Sockets that are read all the time: misses, links and addresses, changes of tables, and the questions of guests. */
export const RECEIVING_SOCKETS = ['miss', 'link', 'table', 'tap'] as const;
export type ReceivingSocket = (typeof RECEIVING_SOCKETS)[number];

/** Parts of the daemon that fail independently. */
export const LANES = [
  'adopt',
  'announcements',
  'audit',
  'bridge_entries',
  'changes',
  'devices',
  'directory',
  'events',
  'evict',
  'guests',
  'history',
  'housekeeping',
  'idle',
  'install',
  'join',
  'links',
  'lookups',
  'mac_records',
  'misses',
  'ports',
  'proactive',
  'publish',
  'rechecks',
  'replication',
  'stop',
  'supervision',
  'table_monitor',
  'throttle',
  'top_addresses',
  'withdrawals',
] as const;
export type LaneName = (typeof LANES)[number];

/** Parts of a directory: values by key, notifications of changes, the leases in memory. */
export const DIRECTORY_PARTS = ['lookups', 'feed', 'leases'] as const;
