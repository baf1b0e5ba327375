/** The fuzzer's corpus through the addon as it was built: `good.DECODER.what.bin` is read whole, `bad.…` is refused. */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { canonicalIp, canonicalMac } from '../../../src/base/address.ts';
import { addon } from '../../../src/kernel/addon.ts';

const directory = new URL('../../../addon/fuzz/corpus/', import.meta.url);
const corpus = readdirSync(directory).map((name) => {
  const [verdict = '', decoder = '', what = ''] = name.split('.');
  return { verdict, decoder, what, bytes: readFileSync(new URL(name, directory)) };
});

/** What each decoder makes of an input: values, and whether all of it made sense. */
const decoders: Record<string, (bytes: Buffer) => { values: object[]; whole: boolean }> = {
  misses: (bytes) => {
    const { misses, malformed } = addon.decodeMisses(bytes);
    return { values: misses, whole: malformed === 0 };
  },
  links: (bytes) => told(addon.decodeLinks(bytes)),
  addresses: (bytes) => told(addon.decodeAddresses(bytes)),
  rows: (bytes) => told(addon.decodeRows(bytes)),
  routes: (bytes) => told(addon.decodeRoutes(bytes)),
  answers: (bytes) => {
    const answers = addon.decodeAnswers(bytes);
    return { values: answers, whole: answers.length > 0 };
  },
  question: (bytes) => {
    const question = addon.parseQuestion(bytes);
    return { values: question === undefined ? [] : [question], whole: question !== undefined };
  },
  sighting: (bytes) => {
    const sender = addon.parseSighting(bytes);
    return { values: sender === undefined ? [] : [sender], whole: sender !== undefined };
  },
};

function told({ values, malformed }: { values: object[]; malformed: number }): {
  values: object[];
  whole: boolean;
} {
  return { values, whole: malformed === 0 };
}

const ADDRESSES = new Set(['ip', 'vtep', 'target', 'local', 'group', 'gateway']);

/** Every address that comes out is in the form that the rest compares with `===`. */
function expectCanonical(value: object): void {
  for (const [key, field] of Object.entries(value)) {
    if (typeof field === 'object' && field !== null) expectCanonical(field as object);
    else if (ADDRESSES.has(key)) expect(canonicalIp(String(field))).toBe(field);
    else if ((key === 'lladdr' || key === 'mac') && String(field).length === 17)
      expect(canonicalMac(String(field))).toBe(field);
  }
}

describe('the corpus', () => {
  it('has valid and invalid bytes for each decoder', () => {
    for (const decoder of Object.keys(decoders))
      for (const verdict of ['good', 'bad'])
        expect(corpus.some((one) => one.decoder === decoder && one.verdict === verdict)).toBe(true);
  });

  it.each(corpus)('$verdict $decoder $what', ({ verdict, decoder, bytes }) => {
    const { values, whole } = decoders[decoder]?.(bytes) ?? { values: [], whole: false };
    expect(whole).toBe(verdict === 'good');
    expect(values.length > 0).toBe(verdict === 'good');
    values.forEach(expectCanonical);
  });

  it.each(Object.entries(decoders))(
    'breaks %s nowhere, whatever it is meant for or cut off at',
    (_, decode) => {
      for (const { bytes } of corpus)
        for (let length = 0; length <= bytes.length; length++)
          decode(bytes.subarray(0, length)).values.forEach(expectCanonical);
    },
  );
});
