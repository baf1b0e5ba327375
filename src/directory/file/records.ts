/** Reads a directory file. */
import { Assembly, type FileContents, type Slice } from './contents.ts';
import { parseRecords, renderEndpoint, renderSubnet, vtepsByMac } from '../format.ts';
import { readText } from '../../base/read-text.ts';

/** Records in one slice: one or two milliseconds to take in. */
const SLICE = 2_000;

/** What a file of at most so many bytes says, in slices. @throws UsageError naming file, line and reason, before the first of them */
export function* slicesOf(file: string, most?: number): Generator<Slice, undefined> {
  for (const [vni, { endpoints, subnets, vteps, network }] of parseRecords(readText(file, most), file)) {
    const values = endpoints.map<[string, string]>((endpoint) => [
      `ip:${endpoint.ip}`,
      renderEndpoint(endpoint),
    ]);
    for (const [mac, vtep] of vtepsByMac(endpoints)) values.push([`mac:${mac}`, vtep]);
    const leases = subnets.map<[string, string]>((subnet) => [subnet.cidr, renderSubnet(subnet)]);
    const length = Math.max(values.length, leases.length, vteps.length, 1);
    for (let from = 0; from < length; from += SLICE) {
      const [start, end] = [from, from + SLICE];
      yield {
        vni,
        values: values.slice(start, end),
        leases: leases.slice(start, end),
        vteps: vteps.slice(start, end),
        ...(from === 0 && network !== undefined && { network }),
      };
    }
  }
}

/**
 * In one piece, for commands that do nothing else; see `reader.ts`.
 * @param most bytes of the file
 * @throws UsageError naming file, line and reason
 */
export function readDirectoryFile(file: string, most?: number): FileContents {
  const assembly = new Assembly();
  for (const slice of slicesOf(file, most)) assembly.take(slice);
  return assembly.contents();
}
