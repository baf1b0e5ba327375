/** The file by which first-generation Flannel told others its subnet; programs that read it go on working. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { firstOf } from './wanted.ts';

export interface SubnetFacts {
  /** Of the whole network. */
  network: string;
  /** Of this host. */
  prefix: string;
  mtu: number;
  masquerade: boolean;
}

/** Variables as Flannel's `subnet.env` has them. */
export function subnetFileText({ network, prefix, mtu, masquerade }: SubnetFacts): string {
  const family = prefix.includes(':') ? 'IPV6_' : '';
  return `FLANNEL_${family}NETWORK=${network}
FLANNEL_${family}SUBNET=${firstOf(prefix)}
FLANNEL_MTU=${mtu}
FLANNEL_IPMASQ=${masquerade}
`;
}

/** Nobody reads half of it. Writes nothing where it says so already. @throws Error where it cannot be written */
export function writeSubnetFile(file: string, facts: SubnetFacts): void {
  const text = subnetFileText(facts);
  if (textOf(file) === text) return;
  const beside = `${file}.${process.pid}`;
  try {
    writeFileSync(beside, text, { mode: 0o644 });
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
