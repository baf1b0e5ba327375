import { describe, expect, it } from 'vitest';
import { onOneLine, escapeControls } from '../../../src/screen/escape-controls.ts';

const HOSTILE = 'a\u009b31m\u202e evil\u2066\u200b\u00ad\u2028\u007f\u{e0041}';

describe('untrusted text', () => {
  it('has no control or invisible characters afterwards', () => {
    expect(escapeControls(HOSTILE)).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
    expect(escapeControls('Zoë, \u001b[1mbold\u001b[0m\n')).toBe('Zoë, \u001b[1mbold\u001b[0m\n');
    expect(onOneLine('a\u001b[2J\nb\u0007')).toBe('a\\u001b[2J\\u000ab\\u0007');
  });

  it('is the same JSON before and after', () => {
    const json = escapeControls(JSON.stringify({ value: HOSTILE }));
    expect(json).not.toMatch(/[\p{Cc}\p{Cf}\u2028]/u);
    expect(JSON.parse(json)).toEqual({ value: HOSTILE });
  });
});
