/**
 * The directory as a YAML file: what `--directory` reads, `endpoint import` takes and `endpoint export` writes. Every
 * error names file and line.
 */
import type { MalformedReason } from '../base/outcomes.ts';
import { type Document, isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../base/errors.ts';
import type { Ip, Mac, Vni } from '../base/vocabulary.ts';
import { type FileNetwork, judgeNetworks, networksSchema, renderNetworks } from './format-networks.ts';
import { judgeCidr, judgeIp, judgeMac, judgeVtep } from './record.ts';

export interface Endpoint {
  ip: Ip;
  mac: Mac;
  vtep: Ip;
  router: boolean;
}

export interface Subnet {
  cidr: string;
  mac: Mac;
  vtep: Ip;
}

export interface VniRecords {
  endpoints: Endpoint[];
  subnets: Subnet[];
  vteps: Ip[];
  /** The network that has the VNI. */
  network?: FileNetwork;
}

export type Records = Map<Vni, VniRecords>;

const WORDS: Record<MalformedReason, string> = {
  syntax: 'is not of the right form',
  not_canonical: 'is not in canonical form (lower case, RFC 5952)',
  mac: 'is not a unicast MAC address',
  ip: 'is not a unicast IP address',
  cidr: 'is not a prefix, or has bits set behind it',
  vtep: 'is not a unicast IP address that can be a VTEP',
  vtep_family: 'is of the wrong address family',
  vtep_link_local: 'is link-local, and the device names no interface',
  vtep_broadcast: 'is the broadcast address of a subnet',
  vtep_not_allowed: 'is not within --vtep-allow',
  size: 'is longer than any record',
  type: 'is of another type',
  excess: 'is one too many',
};

/** A malformed address in words, for people who typed it. */
export function malformedText(text: string, reason: MalformedReason): string {
  return `"${text.slice(0, 60)}" ${WORDS[reason]}`;
}

const judged = (policy: (text: string) => MalformedReason | undefined) =>
  z.string().superRefine((text, context) => {
    const reason = policy(text);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: malformedText(text, reason) });
  });
const ip = judged(judgeIp);
const mac = judged(judgeMac);
const vtep = judged(judgeVtep);
const absentIsEmpty = <T extends z.ZodType>(of: T) =>
  z
    .array(of)
    .optional()
    .transform((list) => list ?? []);

const vniSchema = z.strictObject({
  endpoints: absentIsEmpty(z.strictObject({ ip, mac, vtep, router: z.boolean().default(false) })),
  subnets: absentIsEmpty(z.strictObject({ cidr: judged(judgeCidr), mac, vtep })),
  vteps: absentIsEmpty(vtep),
});
const vnisSchema = z.record(z.string(), vniSchema);
/** Networks alone make a file; nothing at all is likely a file that is still being written. */
const schemaOf = (plain: unknown) =>
  z.strictObject({
    networks: networksSchema.default({}),
    vnis:
      typeof plain === 'object' && plain !== null && 'networks' in plain
        ? vnisSchema.default({})
        : vnisSchema,
  });

type Path = readonly PropertyKey[];

/**
 * @param name of the file, for messages
 * @throws UsageError `NAME:LINE: reason`
 */
export function parseRecords(text: string, name: string): Records {
  const lines = new LineCounter();
  const refuse = (offset: number | undefined, reason: string): never => {
    throw new UsageError(`${name}:${offset === undefined ? 1 : lines.linePos(offset).line}: ${reason}`);
  };
  // Some thousand nested brackets overflow the stack.
  const document = attempt(
    () => parseDocument(text, { lineCounter: lines, stringKeys: true }),
    (reason) => refuse(undefined, reason),
  );
  const [broken] = document.errors;
  if (broken !== undefined) refuse(broken.pos[0], firstLine(broken.message));
  // Aliases are not followed without bound: `toJS` gives up after a hundred, which keeps a small file small.
  const plain = attempt(
    () => document.toJS() as unknown,
    (reason) => refuse(undefined, reason),
  );
  const valueless = findValueless(plain);
  if (valueless !== undefined)
    refuse(
      offsetOf(document, valueless),
      `${valueless.join('.')} has no value, as in a file that is still being written`,
    );
  const parsed = schemaOf(plain).safeParse(plain);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const [path, reason] = issue === undefined ? [[], 'is not a directory'] : describe(issue);
    return refuse(offsetOf(document, path), reason);
  }
  const records: Records = new Map();
  const networks = judgeNetworks(parsed.data.networks, (path, reason) =>
    refuse(offsetOf(document, path), reason),
  );
  for (const [vni, network] of networks) records.set(vni, { endpoints: [], subnets: [], vteps: [], network });
  for (const [key, one] of Object.entries(parsed.data.vnis)) {
    const vni = Number(key);
    const path = ['vnis', key];
    if (!/^[1-9]\d{0,7}$/.test(key) || vni > 0xffffff) {
      refuse(offsetOf(document, path), `"${key.slice(0, 20)}" is not a VNI from 1 to 16777215`);
    }
    const twice = (list: string, what: (string | undefined)[]): void => {
      const seen = new Set<string | undefined>();
      for (const [index, address] of what.entries()) {
        if (seen.has(address)) {
          refuse(offsetOf(document, [...path, list, index]), `${address ?? ''} is in VNI ${vni} twice`);
        }
        seen.add(address);
      }
    };
    twice(
      'endpoints',
      one.endpoints.map((endpoint) => endpoint.ip),
    );
    twice(
      'subnets',
      one.subnets.map((subnet) => subnet.cidr),
    );
    twice('vteps', one.vteps);
    records.set(vni, { ...records.get(vni), ...one });
  }
  return records;
}

/** Of a path: a field of an endpoint, as in `vnis.100.endpoints.0.mac`. */
const DEEPEST = 5;

/**
 * The first key or item without a value. An intended empty value is written `{}` or `[]`; a bare key is likely a file that
 * is still being written, and accepting it would remove all entries.
 */
function findValueless(value: unknown, path: PropertyKey[] = []): PropertyKey[] | undefined {
  if (value === null) return path.length === 0 ? undefined : path;
  // An alias may be nested in its own anchor.
  if (typeof value !== 'object' || path.length === DEEPEST) return undefined;
  const entries: Iterable<[PropertyKey, unknown]> = Array.isArray(value)
    ? value.entries()
    : Object.entries(value);
  for (const [key, within] of entries) {
    const found = findValueless(within, [...path, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function describe(issue: z.core.$ZodIssue): [Path, string] {
  const where = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const [key = ''] = issue.keys;
    return [[...issue.path, key], `unknown key "${key}"${where === '' ? '' : ` in ${where}`}`];
  }
  return [
    issue.path,
    issue.code === 'custom' ? issue.message : `${where === '' ? 'the file' : where}: ${issue.message}`,
  ];
}

/** Where the innermost node on the way begins; a key where the path ends in one. */
function offsetOf(document: Document, path: Path): number | undefined {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    if (isMap(parent)) {
      const pair = parent.items.find(
        ({ key }) => String(isScalar(key) ? key.value : key) === String(path[length - 1]),
      );
      const key = pair?.key as Node | undefined;
      if (key?.range != null) return key.range[0];
    }
    const node = document.getIn(path.slice(0, length), true) as Node | undefined;
    if (node?.range != null) return node.range[0];
  }
  return document.contents?.range?.[0];
}

function attempt<T>(act: () => T, otherwise: (reason: string) => T): T {
  try {
    return act();
  } catch (error) {
    return otherwise(firstLine(error instanceof Error ? error.message : String(error)));
  }
}

function firstLine(text: string): string {
  return (text.split('\n', 1)[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}

/** One line per record, so that two exports can be compared line by line. */
export function renderRecords(records: Records): string {
  const networks = [...records.values()].flatMap(({ network }) => network ?? []);
  const vnis = [...records].filter(([, { network, ...one }]) => network === undefined || !isBare(one));
  const lines = [...renderNetworks(networks), vnis.length === 0 ? 'vnis: {}' : 'vnis:'];
  const list = (name: string, items: string[]): void => {
    if (items.length > 0) lines.push(`    ${name}:`, ...items.map((item) => `      - ${item}`));
  };
  for (const [vni, { endpoints, subnets, vteps }] of vnis.sort(([a], [b]) => a - b)) {
    if (isBare({ endpoints, subnets, vteps })) {
      lines.push(`  ${vni}: {}`);
      continue;
    }
    lines.push(`  ${vni}:`);
    list(
      'endpoints',
      endpoints.map(
        (one) =>
          `{ ip: "${one.ip}", mac: "${one.mac}", vtep: "${one.vtep}"${one.router ? ', router: true' : ''} }`,
      ),
    );
    list(
      'subnets',
      subnets.map((one) => `{ cidr: "${one.cidr}", mac: "${one.mac}", vtep: "${one.vtep}" }`),
    );
    list(
      'vteps',
      vteps.map((one) => `"${one}"`),
    );
  }
  return `${lines.join('\n')}\n`;
}

function isBare({ endpoints, subnets, vteps }: VniRecords): boolean {
  return endpoints.length + subnets.length + vteps.length === 0;
}

/**
 * The `mac:` records of the endpoints. Endpoints that share a MAC but name different VTEPs get no `mac:` record.
 */
export function vtepsByMac(endpoints: readonly Endpoint[]): Map<Mac, Ip> {
  const vteps = new Map<Mac, Ip>();
  const disputed = new Set<Mac>();
  for (const endpoint of endpoints) {
    const other = vteps.get(endpoint.mac);
    if (other !== undefined && other !== endpoint.vtep) disputed.add(endpoint.mac);
    vteps.set(endpoint.mac, endpoint.vtep);
  }
  for (const one of disputed) vteps.delete(one);
  return vteps;
}

/** The value as it stands in the directory. */
export function renderEndpoint({ mac: lladdr, vtep: remote, router }: Endpoint): string {
  return `${lladdr} ${remote}${router ? ' router' : ''}`;
}

export function renderSubnet({ mac: lladdr, vtep: remote }: Subnet): string {
  return `${lladdr} ${remote}`;
}
