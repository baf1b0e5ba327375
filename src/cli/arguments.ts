/** Arguments that are addresses: converted to the canonical form, or refused. */
import type { MalformedReason } from '../base/outcomes.ts';
import { InvalidArgumentError } from 'commander';
import { canonicalIp, canonicalMac } from '../base/address.ts';
import { NETWORK_NAME } from '../directory/network.ts';
import { malformedText } from '../directory/format.ts';
import { canonicalCidr } from '../base/prefix.ts';
import { judgeCidr, judgeIp, judgeMac, judgeVtep } from '../directory/record.ts';
import type { Ip, Mac } from '../base/vocabulary.ts';

const argument =
  (canonical: (text: string) => string | undefined, policy: (text: string) => MalformedReason | undefined) =>
  (text: string): string => {
    const address = canonical(text.trim()) ?? text;
    const reason = policy(address);
    if (reason !== undefined) throw new InvalidArgumentError(`${malformedText(text, reason)}.`);
    return address;
  };

/** Either; no text is both. */
export const addressArgument = (text: string): string =>
  canonicalMac(text.trim()) === undefined ? ipArgument(text) : macArgument(text);

export const ipArgument: (text: string) => Ip = argument(canonicalIp, judgeIp);
export const vtepArgument: (text: string) => Ip = argument(canonicalIp, judgeVtep);
export const macArgument: (text: string) => Mac = argument(canonicalMac, judgeMac);
export const cidrArgument: (text: string) => string = argument(canonicalCidr, judgeCidr);

export const networkName = (text: string): string => {
  if (!NETWORK_NAME.test(text))
    throw new InvalidArgumentError(
      'expected a letter and at most 11 letters, digits and dashes, lower case.',
    );
  return text;
};
